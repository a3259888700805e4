#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/where.h>

#include "ichdet/attribution/grad_cam.hpp"

namespace ichdet::attribution {
namespace {

/// The eigenvector (n, 1) of the largest eigenvalue of symmetric matrices G (n, n), differentiable.
///
/// dv = (λ - G)⁺ dG v, whatever the other eigenvectors do: eigh's own derivative would divide by all their differences.
at::Tensor leading_eigenvector(const at::Tensor& gram) {
  const auto [values, vectors] = at::linalg_eigh(gram.detach());
  const auto last = values.size(-1) - 1;
  const auto vector = vectors.narrow(-1, last, 1);
  if (!gram.requires_grad()) return vector;
  const auto largest = values.narrow(-1, last, 1);
  const auto gaps = largest - values;
  const auto inverse = at::where(gaps > 0, gaps.reciprocal(), gaps);
  const auto residual = gram.matmul(vector) - largest.unsqueeze(-1) * vector;  // 0 but for its derivative
  return vector + vectors.matmul(inverse.unsqueeze(-1) * vectors.mT().matmul(residual));
}

}  // namespace

at::Tensor first_component(const at::Tensor& maps) {
  const auto given = maps.to(at::kDouble);
  const auto x = given - given.mean(-1, true);
  at::Tensor direction;  // (image, channel, 1)
  if (x.size(1) <= x.size(2)) {
    direction = leading_eigenvector(x.matmul(x.mT()));
  } else {
    direction = x.matmul(leading_eigenvector(x.mT().matmul(x)));
    const auto norm = at::linalg_vector_norm(direction, 2, 1, true);
    direction = direction / at::where(norm > 0, norm, 1.0);
  }
  const auto sign = at::where(direction.detach().sum(1, true) < 0, -1.0, 1.0);
  return x.mT().matmul(direction * sign).squeeze(-1).to(maps.scalar_type());
}

}  // namespace ichdet::attribution
