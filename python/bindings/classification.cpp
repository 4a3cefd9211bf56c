#include "relufit/classification.h"

#include <fmt/ranges.h>

#include <set>

#include "arrays.h"
#include "bindings.h"
#include "relufit/categories.h"
#include "relufit/model.h"

namespace relufit::python {

namespace {

using namespace nanobind::literals;

Link link_from(const std::string& name) {
  for (const Link link : {Link::softmax, Link::logistic, Link::none}) {
    if (name == to_string(link)) return link;
  }
  throw std::invalid_argument(fmt::format("link: '{}', expected 'softmax', 'logistic' or 'none'", name));
}

/// What a model file can hold.
Classification make_classification(const std::string& label, const std::vector<std::string>& classes,
                                   const std::string& link) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  Classification result{label, classes, link_from(link)};
  if (label.empty()) fail("label: empty, expected a name");
  if (classes.size() < 2) fail(fmt::format("classes: {}, expected at least 2", classes.size()));
  if (result.link == Link::logistic && classes.size() > 2) {
    fail(fmt::format("classes: {}, expected 2 with the logistic link", classes.size()));
  }
  std::set<std::string> seen;
  for (const std::string& name : classes) {
    if (name.empty()) fail("classes: a name is empty");
    if (!seen.insert(name).second) fail(fmt::format("classes: '{}' is repeated, expected different names", name));
  }
  return result;
}

}  // namespace

void bind_classification(nb::module_& module) {
  module.def("find_levels", &find_levels, "column"_a, "texts"_a,
             "The different texts of a column, sorted. ValueError for fewer than 2 or more than 1000 of them.");
  nb::class_<Classification>(module, "Classification",
                             "The classes of a label, and what the outputs of a network say about them. Immutable.")
      .def(
          "__init__",
          [](Classification* self, const std::string& label, const std::vector<std::string>& classes,
             const std::string& link) { new (self) Classification(make_classification(label, classes, link)); },
          "label"_a, "classes"_a, "link"_a = "softmax")
      .def_ro("label", &Classification::label, "Name of the label.")
      .def_ro("classes", &Classification::classes, "Names, in the order of the outputs.")
      .def_prop_ro(
          "link", [](const Classification& c) { return to_string(c.link); },
          "'softmax': one score per class, the largest is the class, their softmax the probabilities.\n"
          "'logistic': one score, the log odds of the second of two classes.\n"
          "'none': one score per class, or one of two classes as above; no probabilities.")
      .def_prop_ro("output_count", &Classification::output_count, "Outputs of the network.")
      .def_prop_ro(
          "output_names", [](const Classification& c) { return output_names(c); }, "'label=class' for each output.")
      .def("__eq__",
           [](const Classification& a, nb::handle other) {
             if (!nb::isinstance<Classification>(other)) return false;
             const auto& b = nb::cast<const Classification&>(other);
             return a.label == b.label && a.classes == b.classes && a.link == b.link;
           })
      .def("__reduce__",
           [](nb::handle self) {
             const auto& c = nb::cast<const Classification&>(self);
             return nb::make_tuple(self.type(), nb::make_tuple(c.label, c.classes, to_string(c.link)));
           })
      .def("__repr__", [](const Classification& c) {
        return fmt::format("<relufit.Classification {}: {}; {}>", c.label, fmt::join(c.classes, ", "),
                           to_string(c.link));
      });
  module.def(
      "find_classes",
      [](const std::string& label, const std::vector<std::string>& labels, const std::string& loss) {
        return find_classes(label, labels, loss_from(loss));
      },
      "label"_a, "labels"_a, "loss"_a,
      "The classes among labels as text, sorted: by value where all are numbers, written the shortest way, else by\n"
      "their bytes. ValueError for fewer than 2 or more than 1000, or a loss that is not for them.");
  module.def(
      "class_indices",
      [](const Classification& classification, const std::vector<std::string>& labels) {
        return to_array(class_indices(classification, labels));
      },
      "classification"_a, "labels"_a,
      "Position of every label among the classes, written as find_classes reads them; -1 for others.");
  nb::class_<ClassificationMeasures>(module, "ClassificationMeasures", "Classes given, against the true ones.")
      .def_ro("accuracy", &ClassificationMeasures::accuracy, "Share of samples whose class is the true one.")
      .def_ro("log_loss", &ClassificationMeasures::log_loss,
              "Mean of -log(probability of the true class); NaN where there are no probabilities.")
      .def_prop_ro(
          "counts", [](const ClassificationMeasures& m) { return to_matrix(m.counts); }, nb::rv_policy::automatic,
          "Samples of the true class (row) that were given a class (column).");
}

}  // namespace relufit::python
