// The C header's text: names that would break it, numbers. That it compiles and agrees: tests/python/test_c_export.py.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "relufit/c_export.h"

namespace relufit {
namespace {

Model small_model() {
  Model model;
  model.network = Network({{Matrix::Constant(1, 2, 1.5), Vector::Zero(1)}}, OutputActivation::linear);
  model.input_scaling = Scaling::identity(2);
  model.target_scaling = Scaling::identity(1);
  model.input_names = {"a", "b"};
  model.target_names = {"y"};
  return model;
}

TEST(CExport, RefusesNamesThatAreNotC) {
  for (const std::string name : {"", "2fast", "my net", "a-b", "f(x)"}) {
    EXPECT_THROW(c_source(small_model(), {name, false}), std::invalid_argument) << name;
  }
  EXPECT_NE(c_source(small_model(), {"net_2", false}).find("net_2_predict"), std::string::npos);
}

TEST(CExport, NamesFromFilesAreC) {
  EXPECT_EQ(c_name_from("models/my net.h"), "my_net");
  EXPECT_EQ(c_name_from("2.h"), "model_2");
  for (const std::string path : {"a/b-c.json", ".h", "\xc3\xa4.h"}) {
    EXPECT_NO_THROW(c_source(small_model(), {c_name_from(path), false})) << path;
  }
}

TEST(CExport, ForeignNamesStayInTheirComment) {
  Model model = small_model();
  model.input_names = {"*/ int main(void) /*", "line\nbreak ?\?/"};
  const std::string text = c_source(model);
  const std::size_t begin = text.find("/*");
  const std::size_t end = text.find("*/");
  EXPECT_EQ(text.compare(end, 12, "*/\n#ifndef M"), 0) << text.substr(0, end + 20);
  EXPECT_EQ(text.find("/*", begin + 2), text.find("/* Outputs for one sample"));
  EXPECT_EQ(text.find("??"), std::string::npos);
}

TEST(CExport, SinglePrecisionRefusesWhatDoesNotFit) {
  Model model = small_model();
  model.input_scaling.scale(0) = 1e300;
  EXPECT_NO_THROW(c_source(model));
  EXPECT_THROW(c_source(model, {"model", true}), std::invalid_argument);
}

}  // namespace
}  // namespace relufit
