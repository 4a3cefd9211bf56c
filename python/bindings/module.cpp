#include "bindings.h"
#include "relufit/version.h"

NB_MODULE(_core, module) {
  module.doc() = "The C++ library relufit: see relufit and relufit.core.";
  module.attr("version") = relufit::version;
  relufit::python::bind_classification(module);
  relufit::python::bind_model(module);
  relufit::python::bind_results(module);
  relufit::python::bind_training(module);
  relufit::python::bind_relaxation(module);
}
