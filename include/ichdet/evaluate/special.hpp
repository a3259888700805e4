#pragma once

#include "ichdet/core/config.hpp"

/// The few special functions that intervals and tests need. Pure and free of global state (std::lgamma is not).
namespace ichdet::evaluate {

/// I_x(a, b), the regularised incomplete beta function, to about 1e-13 relative for a + b up to 1e6. By the
/// continued fraction of DiDonato and Morris (ACM TOMS 18, 1992), the factor before it by Stirling's series and
/// Loader's deviance ("Fast and accurate computation of binomial probabilities", 2000), which do not cancel at large a
/// and b. Throws Error(options) unless a and b are in (0, 1e15] and x is in [0, 1].
double incomplete_beta(double a, double b, double x);

/// The x in [0, 1] for which I_x(a, b) is `p`, to about 1e-13 relative. Throws Error(options) as above.
double incomplete_beta_inverse(double a, double b, double p);

/// P(Z <= z) of a standard normal Z; keeps its relative precision far out at the left.
double normal_cdf(double z);

/// The inverse of `normal_cdf`; infinite at 0 and 1. Throws Error(options) where `p` is outside [0, 1].
double normal_quantile(double p);

/// The p-quantile of Student's t with `degrees` > 0 degrees of freedom. Throws Error(options) unless 0 < p < 1.
double student_t_quantile(double p, double degrees);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/special_inl.hpp"
#endif
