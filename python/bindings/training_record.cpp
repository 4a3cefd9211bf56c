#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>

#include "bindings.h"
#include "relufit/model.h"

namespace relufit::python {

namespace nb = nanobind;

void bind_training_record(nb::module_& module) {
  nb::class_<TrainingRecord> record(module, "TrainingRecord",
                                    "How a model was trained and how well it fits; not needed to predict.");
  record.def(nb::init<>())
      .def_rw("version", &TrainingRecord::version, "Of relufit.")
      .def_rw("strategy", &TrainingRecord::strategy, "Name of the parameter update strategy, or of another method.")
      .def_rw("loss", &TrainingRecord::loss, "Name of the loss.")
      .def_rw("status", &TrainingRecord::status, "How training ended.")
      .def_rw("seed", &TrainingRecord::seed)
      .def_rw("samples", &TrainingRecord::samples)
      .def_rw("iterations", &TrainingRecord::iterations, "Outer iterations of the start that was kept.")
      .def_rw("seconds", &TrainingRecord::seconds)
      .def_rw("relative_residual", &TrainingRecord::relative_residual,
              "||F(U) - Y|| / ||Y|| (Frobenius) on the raw training data; NaN for classes.")
      .def_rw("pair_violation", &TrainingRecord::pair_violation,
              "Largest |h s| of the lifted solution, in scaled units.")
      .def_rw("product_violation", &TrainingRecord::product_violation,
              "Largest |W H - C| of the lifted solution, in scaled units.")
      .def_rw("loss_parameter", &TrainingRecord::loss_parameter,
              "Huber: delta; quantile: tau; raw units. 0 for other losses.")
      .def_rw("ridge", &TrainingRecord::ridge, nb::arg().none(),
              "Per target value (cross-entropy: sample), scaled units; None where it is not known.");
  record.def("__getstate__", [](const TrainingRecord& r) {
    return nb::make_tuple(r.version, r.strategy, r.loss, r.status, r.seed, r.samples, r.iterations, r.seconds,
                          r.relative_residual, r.pair_violation, r.product_violation, r.loss_parameter, r.ridge);
  });
  record.def("__setstate__", [](TrainingRecord& r, nb::tuple s) {
    new (&r) TrainingRecord{nb::cast<std::string>(s[0]),
                            nb::cast<std::string>(s[1]),
                            nb::cast<std::string>(s[2]),
                            nb::cast<std::string>(s[3]),
                            nb::cast<unsigned>(s[4]),
                            nb::cast<Index>(s[5]),
                            nb::cast<Index>(s[6]),
                            nb::cast<double>(s[7]),
                            nb::cast<double>(s[8]),
                            nb::cast<double>(s[9]),
                            nb::cast<double>(s[10]),
                            nb::cast<double>(s[11]),
                            nb::cast<std::optional<double>>(s[12])};
  });
}

}  // namespace relufit::python
