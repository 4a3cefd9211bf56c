/// \file
/// The parts of the extension module; each adds its classes and functions to it.
#pragma once

#include <nanobind/nanobind.h>

namespace relufit::python {

void bind_certificate(nanobind::module_& module);
void bind_classification(nanobind::module_& module);
void bind_model(nanobind::module_& module);
void bind_results(nanobind::module_& module);
void bind_training(nanobind::module_& module);
void bind_training_record(nanobind::module_& module);
void bind_relaxation(nanobind::module_& module);

}  // namespace relufit::python
