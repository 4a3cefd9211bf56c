#include "linear_algebra/decompositions.h"

#define RELUFIT_INSTANCE template
#include "linear_algebra/instances.inc"
#undef RELUFIT_INSTANCE
