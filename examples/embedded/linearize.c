/* The exported network on rows "reading,temperature" of standard input. */
#include <stdio.h>

#include "linearize.h"

int main(void) {
  double inputs[LINEARIZE_INPUTS], outputs[LINEARIZE_OUTPUTS];
  while (scanf("%lf,%lf", &inputs[0], &inputs[1]) == 2) {
    linearize_predict(inputs, outputs);
    printf("%.17g\n", outputs[0]);
  }
  return 0;
}
