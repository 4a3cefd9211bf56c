// Trains on data of a known network and checks the result: exit code 0 if the fit is exact.
#include <relufit/teacher.h>
#include <relufit/train.h>

#include <exception>
#include <iostream>

namespace {

int run() {
  const relufit::Teacher teacher = relufit::make_teacher({2, 2, 1}, relufit::OutputActivation::linear, 50, 1);
  const relufit::Dataset data{teacher.inputs, teacher.targets, {"u1", "u2"}, {"y"}};

  const relufit::TrainOptions options{.hidden = {2}, .loss = relufit::Loss::exact, .starts = 20};
  const relufit::TrainResult result = relufit::train(data, options);

  // Verified: the plain network on the raw data, not what the solver says about itself.
  const relufit::Evaluation fit = relufit::evaluate(result.model.predict(data.inputs), data.targets);
  std::cout << to_string(result.status) << ", start " << result.best_start + 1 << " of " << options.starts
            << ", relative residual " << fit.all.relative_residual << '\n';
  return fit.all.relative_residual < 1e-6 ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
