#include "relufit/model.h"

#include <nanobind/stl/optional.h>

#include <cmath>
#include <optional>

#include "arrays.h"
#include "bindings.h"
#include "data/model_checks.h"
#include "paths.h"
#include "relufit/c_export.h"
#include "relufit/version.h"

namespace relufit::python {

std::vector<Category> categories_from(nb::dict levels) {
  std::vector<Category> categories;
  for (const auto& [column, texts] : levels) {
    categories.push_back({nb::cast<std::string>(column), nb::cast<std::vector<std::string>>(texts)});
  }
  return categories;
}

nb::dict categories_to(const std::vector<Category>& categories) {
  nb::dict levels;
  for (const Category& category : categories) levels[nb::cast(category.column)] = nb::cast(category.levels);
  return levels;
}

Samples raw_inputs(const Model& model, nb::handle inputs) {
  nb::object given = nb::borrow(inputs);
  if (nb::hasattr(inputs, "columns") || nb::hasattr(inputs, "column_names")) {
    given = nb::module_::import_("relufit._frames")
                .attr("as_inputs")(given, model.input_names, categories_to(model.categories));
  }
  Samples samples(given, "inputs");
  const auto values = samples.columns();
  if (values.allFinite()) return samples;
  for (Index j = 0; j < values.cols(); ++j) {
    for (Index i = 0; i < values.rows(); ++i) {
      if (std::isfinite(values(i, j))) continue;
      throw std::invalid_argument(
          fmt::format("inputs: sample {} has {} in column {}, expected finite numbers", j + 1, values(i, j), i + 1));
    }
  }
  return samples;
}

namespace {

using namespace nanobind::literals;

std::vector<std::string> names_or_default(const std::optional<std::vector<std::string>>& names, const char* prefix,
                                          Index count) {
  if (names) return *names;
  std::vector<std::string> result;
  for (Index i = 0; i < count; ++i) result.push_back(fmt::format("{}{}", prefix, i));
  return result;
}

Scaling scaling_from(nb::handle value, const std::string& name, Index size) {
  if (value.is_none()) return Scaling::identity(size);
  if (!nb::isinstance<nb::sequence>(value) || nb::len(value) != 2) {
    throw std::invalid_argument(fmt::format("{}: expected a pair (offset, scale)", name));
  }
  Scaling scaling{vector_from(value[0], name + ".offset"), vector_from(value[1], name + ".scale")};
  if (scaling.offset.size() != size || scaling.scale.size() != size) {
    throw std::invalid_argument(fmt::format("{}: {} offsets and {} scales, expected {}", name, scaling.offset.size(),
                                            scaling.scale.size(), size));
  }
  if (!scaling.offset.allFinite() || !scaling.scale.allFinite() || !(scaling.scale.array() > 0).all()) {
    throw std::invalid_argument(fmt::format("{}: expected finite offsets and positive scales", name));
  }
  return scaling;
}

void check_names(const std::vector<std::string>& names, const char* name, Index count) {
  if (static_cast<Index>(names.size()) != count) {
    throw std::invalid_argument(fmt::format("{}: {} names, expected {}", name, names.size(), count));
  }
  const std::string problem = names_problem(name, names);
  if (!problem.empty()) throw std::invalid_argument(problem);
}

void set_classification(Model& model, const Classification& classification) {
  if (model.network.output_size() != classification.output_count()) {
    throw std::invalid_argument(fmt::format("classification: {} outputs, expected {} for {} classes with the link {}",
                                            model.network.output_size(), classification.output_count(),
                                            classification.class_count(), to_string(classification.link)));
  }
  if (model.network.output_activation() != OutputActivation::linear) {
    throw std::invalid_argument("classification: with ReLU outputs, expected linear ones");
  }
  model.classification = classification;
}

std::optional<Classification> classification_of(const Model& model) {
  if (model.classification.empty()) return std::nullopt;
  return model.classification;
}

Model make_model(nb::sequence layers, const std::string& output_activation, nb::handle input_scaling,
                 nb::handle target_scaling, const std::optional<std::vector<std::string>>& input_names,
                 const std::optional<std::vector<std::string>>& target_names,
                 const std::optional<TrainingRecord>& training, const std::optional<Classification>& classification,
                 const std::string& activation, std::optional<double> activation_parameter, bool skip_connections,
                 const std::optional<nb::dict>& categories) {
  Model model;
  model.network = Network(layers_from(layers), output_activation_from(output_activation),
                          activation_from(activation, activation_parameter), skip_connections);
  const Index inputs = model.network.input_size();
  const Index outputs = model.network.output_size();
  model.input_scaling = scaling_from(input_scaling, "input_scaling", inputs);
  model.target_scaling = scaling_from(target_scaling, "target_scaling", outputs);
  model.input_names = names_or_default(input_names, "x", inputs);
  if (classification) set_classification(model, *classification);
  model.target_names =
      classification && !target_names ? output_names(*classification) : names_or_default(target_names, "y", outputs);
  check_names(model.input_names, "input_names", inputs);
  check_names(model.target_names, "target_names", outputs);
  if (categories) model.categories = categories_from(*categories);
  const std::string problem = categories_problem(model.categories, model.input_names);
  if (!problem.empty()) throw std::invalid_argument(problem);
  if (training) {
    model.training = *training;
  } else {
    model.training.version = version;
  }
  if (model.network.output_activation() == OutputActivation::relu && !model.target_scaling.offset.isZero(0)) {
    throw std::invalid_argument("target_scaling: expected offsets 0 with ReLU outputs");
  }
  return model;
}

nb::tuple scaling_view(const Scaling& scaling, nb::handle owner) {
  return nb::make_tuple(view(scaling.offset, owner), view(scaling.scale, owner));
}

OutputArray predict(const Model& model, nb::handle inputs) {
  const Samples samples = raw_inputs(model, inputs);
  Matrix outputs;
  {
    nb::gil_scoped_release release;
    outputs = model.predict(samples.columns());
  }
  return to_samples(std::move(outputs));
}

/// Finite scores: where the largest of some is NaN, no class is.
Matrix scores_of(const Model& model, const Samples& samples) {
  Matrix scores = model.predict(samples.columns());
  for (Index j = 0; j < scores.cols(); ++j) {
    if (scores.col(j).allFinite()) continue;
    throw std::invalid_argument(fmt::format("inputs: sample {} is so large that its scores are not finite", j + 1));
  }
  return scores;
}

const Classification& classification_needed(const Model& model) {
  if (model.classification.empty()) throw std::invalid_argument("model: a regression, expected a classification");
  return model.classification;
}

OutputArray predict_proba(const Model& model, nb::handle inputs) {
  const Classification& classification = classification_needed(model);
  if (classification.link == Link::none) {
    throw std::invalid_argument("model: trained with the hinge loss, which has no probabilities");
  }
  const Samples samples = raw_inputs(model, inputs);
  Matrix probabilities;
  {
    nb::gil_scoped_release release;
    probabilities = class_probabilities(classification, scores_of(model, samples));
  }
  return to_samples(std::move(probabilities));
}

nb::object predict_labels(const Model& model, nb::handle inputs) {
  const Classification& classification = classification_needed(model);
  const Samples samples = raw_inputs(model, inputs);
  std::vector<Index> positions;
  {
    nb::gil_scoped_release release;
    positions = decided_classes(classification, scores_of(model, samples));
  }
  return nb::module_::import_("numpy").attr("take")(classification.classes, to_array(std::move(positions)));
}

std::optional<double> parameter_of(const Activation& activation) {
  if (!has_parameter(activation)) return std::nullopt;
  return activation.parameter;
}

/// Pickling: the arguments of the constructor.
nb::tuple reduced(nb::handle self) {
  const auto& model = nb::cast<const Model&>(self);
  return nb::make_tuple(
      self.type(),
      nb::make_tuple(view_layers(model.network.layers(), self), to_string(model.network.output_activation()),
                     scaling_view(model.input_scaling, self), scaling_view(model.target_scaling, self),
                     model.input_names, model.target_names, model.training, classification_of(model),
                     to_string(model.network.activation()), parameter_of(model.network.activation()),
                     model.network.skip_connections(), categories_to(model.categories)));
}

void bind_data(nb::class_<Model>& model) {
  model
      .def_prop_ro(
          "layers", [](nb::handle self) { return view_layers(nb::cast<const Model&>(self).network.layers(), self); },
          nb::sig("def layers(self) -> list[tuple[numpy.ndarray, numpy.ndarray]]"),
          "Pairs (weights, bias) of the network on scaled data; weights are (outputs, inputs). Read-only.")
      .def_prop_ro(
          "widths", [](const Model& m) { return m.network.widths(); }, "Inputs, units of the hidden layers, outputs.")
      .def_prop_ro(
          "output_activation", [](const Model& m) { return to_string(m.network.output_activation()); },
          "'linear' or 'relu'.")
      .def_prop_ro(
          "activation", [](const Model& m) { return to_string(m.network.activation()); },
          "Of the hidden units: 'relu', 'leaky-relu', 'absolute', 'clipped-relu', 'hard-tanh' or 'maxout', whose "
          "units\n"
          "have two rows of weights each, the second ones of a layer after all first ones.")
      .def_prop_ro(
          "activation_parameter", [](const Model& m) { return parameter_of(m.network.activation()); },
          "leaky-relu: slope left of 0; clipped-relu: ceiling. None for others.")
      .def_prop_ro(
          "skip_connections", [](const Model& m) { return m.network.skip_connections(); },
          "Whether layers after the first see the inputs as well, in the last columns of their weights.")
      .def_prop_ro(
          "input_scaling",
          [](nb::handle self) { return scaling_view(nb::cast<const Model&>(self).input_scaling, self); },
          nb::sig("def input_scaling(self) -> tuple[numpy.ndarray, numpy.ndarray]"),
          "(offset, scale): the network sees (inputs - offset) / scale.")
      .def_prop_ro(
          "target_scaling",
          [](nb::handle self) { return scaling_view(nb::cast<const Model&>(self).target_scaling, self); },
          nb::sig("def target_scaling(self) -> tuple[numpy.ndarray, numpy.ndarray]"),
          "(offset, scale): predictions are offset + scale * the network's outputs.")
      .def_ro("input_names", &Model::input_names)
      .def_ro("target_names", &Model::target_names)
      .def_prop_ro(
          "categories", [](const Model& m) { return categories_to(m.categories); },
          nb::sig("def categories(self) -> dict[str, list[str]]"),
          "Columns of text that inputs stand for, with their levels: each is an input, named column=level.")
      .def_prop_ro("classification", &classification_of,
                   "Classification: what the outputs mean. None for a regression.")
      .def_prop_ro(
          "training", [](const Model& m) { return m.training; }, "TrainingRecord: how the model was trained (a copy).");
}

void bind_exports(nb::class_<Model>& model) {
  model.def(
      "save", [](const Model& self, nb::handle path) { save_model(self, path_from(path)); }, "path"_a,
      nb::sig("def save(self, path: str | bytes | os.PathLike) -> None"),
      "Writes the model as JSON, every number to full precision. The file appears whole or not at all.");
  model.def_static(
      "load", [](nb::handle path) { return load_model(path_from(path)); }, "path"_a,
      nb::sig("def load(path: str | bytes | os.PathLike) -> Model"),
      "Reads a model file. ValueError names the file, the field and what is expected.");
  model.def(
      "to_c",
      [](const Model& self, nb::handle given_path, const std::optional<std::string>& name, const std::string& dtype) {
        std::optional<std::string> path;
        if (!given_path.is_none()) path = path_from(given_path);
        if (dtype != "float64" && dtype != "float32") {
          throw std::invalid_argument(fmt::format("dtype: '{}', expected 'float64' or 'float32'", dtype));
        }
        CExportOptions options;
        options.name = name ? *name : path ? c_name_from(*path) : options.name;
        options.single_precision = dtype == "float32";
        if (path) export_c(self, *path, options);
        return c_source(self, options);
      },
      "path"_a = nb::none(), nb::kw_only(), "name"_a = nb::none(), "dtype"_a = "float64",
      nb::sig("def to_c(self, path: str | bytes | os.PathLike | None = None, *, name: str | None = None, "
              "dtype: str = 'float64') -> str"),
      "The network as a C99 header without allocation, which is returned and, with a path, written. It defines\n"
      "`static inline void NAME_predict(const double inputs[], double outputs[])` for one sample of raw data;\n"
      "`name` is made from the path by default. dtype 'float32': float instead of double.");
  model.def(
      "to_onnx",
      [](nb::handle self, nb::handle path, const std::string& dtype, int opset, bool scores, nb::handle bounds) {
        return nb::module_::import_("relufit._onnx").attr("to_onnx")(self, path, dtype, opset, scores, bounds);
      },
      "path"_a = nb::none(), nb::kw_only(), "dtype"_a = "float32", "opset"_a = 13, "scores"_a = false,
      "bounds"_a = nb::none(),
      "The network as an ONNX model, which is returned and, with a path, written: see relufit.to_onnx.");
  model.def(
      "to_torch",
      [](nb::handle self, nb::handle dtype) {
        return nb::module_::import_("relufit._torch").attr("to_torch")(self, dtype);
      },
      "dtype"_a = nb::none(), "The network as a torch.nn.Sequential: see relufit.to_torch.");
  model.def(
      "to_sklearn",
      [](nb::handle self, nb::handle classes) {
        return nb::module_::import_("relufit._multilayer").attr("to_sklearn")(self, classes);
      },
      "classes"_a = nb::none(),
      "The network as a fitted MLPRegressor or MLPClassifier of scikit-learn: see relufit.to_sklearn.");
}

}  // namespace

void bind_model(nb::module_& module) {
  nb::class_<Model> model(
      module, "Model",
      "A ReLU network with all that is needed to use it on raw data: layers, scalings, names, training record.\n"
      "Immutable. Arrays have one row per sample; those of the model are read-only views of its memory.");
  model.def(
      "__init__",
      [](Model* self, nb::sequence layers, const std::string& output_activation, nb::handle input_scaling,
         nb::handle target_scaling, const std::optional<std::vector<std::string>>& input_names,
         const std::optional<std::vector<std::string>>& target_names, const std::optional<TrainingRecord>& training,
         const std::optional<Classification>& classification, const std::string& activation,
         std::optional<double> activation_parameter, bool skip_connections, const std::optional<nb::dict>& categories) {
        new (self)
            Model(make_model(layers, output_activation, input_scaling, target_scaling, input_names, target_names,
                             training, classification, activation, activation_parameter, skip_connections, categories));
      },
      "layers"_a, "output_activation"_a = "linear", "input_scaling"_a = nb::none(), "target_scaling"_a = nb::none(),
      "input_names"_a = nb::none(), "target_names"_a = nb::none(), "training"_a = nb::none(),
      "classification"_a = nb::none(), "activation"_a = "relu", "activation_parameter"_a = nb::none(),
      "skip_connections"_a = false, "categories"_a = nb::none(),
      "From pairs (weights, bias), weights being (outputs, inputs), on data scaled by pairs (offset, scale), by\n"
      "default not at all. Names are x0, x1, ... and y0, y1, ... (label=class) by default. With a Classification the\n"
      "outputs are scores of its classes. Activations have the names of the property. With skip connections the\n"
      "weights of layers after the first have columns for the inputs, the last ones. `categories` maps columns of\n"
      "text to their levels, whose inputs are named column=level. ValueError where shapes do not fit.");
  bind_data(model);
  bind_exports(model);
  model.def(
      "predict", &predict, "inputs"_a, nb::sig("def predict(self, inputs: numpy.typing.ArrayLike) -> numpy.ndarray"),
      "Outputs (samples, outputs), for a classification scores, for raw inputs (samples, inputs). A C-ordered array\n"
      "of float64 is read where it lies; others are converted first. Of a frame (pandas, polars, pyarrow) the columns\n"
      "are taken by the model's input_names, others are left out, and columns of text by its categories (in an array\n"
      "their inputs are columns of 0 and 1). ValueError where a value is not finite, or a frame lacks a column or has\n"
      "a text that is no level.");
  model.def("predict_proba", &predict_proba, "inputs"_a,
            nb::sig("def predict_proba(self, inputs: numpy.typing.ArrayLike) -> numpy.ndarray"),
            "Probabilities (samples, classes) for raw inputs (samples, inputs), classes as in `classification`. For\n"
            "classifications by cross-entropy or logistic loss; ValueError for others, and for inputs as in predict.");
  model.def("predict_labels", &predict_labels, "inputs"_a,
            nb::sig("def predict_labels(self, inputs: numpy.typing.ArrayLike) -> numpy.ndarray"),
            "Names of the classes (samples,) for raw inputs (samples, inputs). ValueError for a regression, and for\n"
            "inputs as in predict.");
  model.def(
      "folded",
      [](const Model& self) {
        Model folded = self;
        folded.network = self.folded();
        folded.input_scaling = Scaling::identity(folded.network.input_size());
        folded.target_scaling = Scaling::identity(folded.network.output_size());
        return folded;
      },
      "The same function with the scalings folded into the first and the last layer.");
  model.def("__reduce__", &reduced);
  model.def("__repr__", [](const Model& self) {
    const Activation& activation = self.network.activation();
    return fmt::format("<relufit.Model {}{}{}, {} outputs>", fmt::join(self.network.widths(), "-"),
                       activation == Activation::relu ? "" : " ",
                       activation == Activation::relu ? "" : to_string(activation),
                       to_string(self.network.output_activation()));
  });
}

}  // namespace relufit::python
