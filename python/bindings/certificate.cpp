#include "relufit/certificate.h"

#include <nanobind/stl/optional.h>

#include "arrays.h"
#include "bindings.h"
#include "interruptible.h"

namespace relufit::python {

namespace {

using namespace nanobind::literals;

Certificate run_certify(const Model& model, nb::handle inputs, nb::handle targets, nb::handle sample_weight,
                        const CertifyOptions& given) {
  Dataset data{raw_inputs(model, inputs).columns(), samples_from(targets, "targets"), model.input_names,
               model.target_names};
  if (data.targets.cols() != data.inputs.cols()) {
    throw std::invalid_argument(
        fmt::format("targets: {} samples, expected {} as inputs", data.targets.cols(), data.inputs.cols()));
  }
  if (!sample_weight.is_none()) data.sample_weights = vector_from(sample_weight, "sample_weight");
  CertifyOptions options = given;
  Interruptible computation;
  options.should_stop = [&] { return computation.should_stop(); };
  Certificate certificate;
  computation.run([&] { certificate = certify(model, data, options); });
  return certificate;
}

}  // namespace

void bind_certificate(nb::module_& module) {
  nb::class_<Certificate>(module, "Certificate", "A lower bound on the training objective: see relufit.certify.")
      .def_prop_ro(
          "status", [](const Certificate& c) { return to_string(c.status); },
          "'complete', or why the bound is not better: 'time limit', 'cell limit', 'interrupted'.")
      .def_ro("objective", &Certificate::objective,
              "Of `model`, as training minimizes it: sum over samples and outputs, scaled units.")
      .def_ro("lower_bound", &Certificate::lower_bound, "No network of any width has a smaller objective; >= 0.")
      .def_ro("gap", &Certificate::gap, "(objective - lower_bound) / objective; 0 where the objective is.")
      .def_ro("ridge", &Certificate::ridge, "Per target value.")
      .def_ro("unit_lower", &Certificate::unit_lower, "Lower bound of the largest unit over the ridge.")
      .def_ro("unit_upper", &Certificate::unit_upper, "Upper bound; above 1 a unit may be missing.")
      .def_ro("cells", &Certificate::cells, "That branch and bound looked at.")
      .def_ro("seconds", &Certificate::seconds)
      .def_ro("model", &Certificate::model, "The given one, or with `tighten` a better one.")
      .def_ro("units_added", &Certificate::units_added, "Hidden units that `model` has more than the given one.")
      .def("__repr__", [](const Certificate& c) {
        return fmt::format("<relufit.Certificate {:.6g} <= objective {:.6g}, gap {:.3g} %, {}>", c.lower_bound,
                           c.objective, 100 * c.gap, to_string(c.status));
      });
  nb::class_<CertifyOptions>(module, "CertifyOptions", "Options of relufit.certify.")
      .def(nb::init<>())
      .def_rw("ridge", &CertifyOptions::ridge, nb::arg().none())
      .def_rw("accuracy", &CertifyOptions::accuracy)
      .def_rw("time_limit", &CertifyOptions::time_limit)
      .def_rw("tighten", &CertifyOptions::tighten)
      .def_rw("seed", &CertifyOptions::seed)
      .def_rw("threads", &CertifyOptions::threads);
  module.def("certify", &run_certify, "model"_a, "inputs"_a, "targets"_a, "sample_weight"_a.none(), "options"_a,
             "See relufit.certify.");
}

}  // namespace relufit::python
