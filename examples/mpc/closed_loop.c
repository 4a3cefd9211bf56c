/* Double integrator under the exported control law: closed_loop POSITION VELOCITY STEPS prints a CSV file. */
#include <stdio.h>
#include <stdlib.h>

#include "law.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  double state[LAW_INPUTS] = {atof(argv[1]), atof(argv[2])};
  puts("position,velocity,input");
  for (int step = atoi(argv[3]); step > 0; --step) {
    double input[LAW_OUTPUTS];
    law_predict(state, input);
    printf("%.17g,%.17g,%.17g\n", state[0], state[1], input[0]);
    state[0] += state[1] + 0.5 * input[0];
    state[1] += input[0];
  }
  return 0;
}
