#include "second_look.hpp"

#include <algorithm>
#include <cmath>

namespace ichdet::pipeline {
namespace {

using Triple = std::array<std::int64_t, 3>;
using Merge = ProcedureSpec::Merge;

constexpr std::int64_t cell_side = 8;

float background(const Array4<float>& answer, Merge merge, std::int64_t i) {
  if (merge == Merge::probabilities) return answer.data()[i];
  const auto classes = answer.extent(0), voxels = answer.size() / classes;
  const float* logit = answer.data() + i;
  float others = 0;
  for (std::int64_t c = 1; c < classes; ++c) others += std::exp(logit[c * voxels] - *logit);
  return 1 / (1 + others);
}

}  // namespace

SecondLook::SecondLook(const Triple& voxels, float clear, double share)
    : answers_(voxels, cell_side), exact_(voxels, cell_side), voxels_(voxels), clear_(clear), share_(share) {}

bool SecondLook::wanted(const Array4<float>& answer, Merge merge, const Box& box) {
  Cells unclear(voxels_, cell_side);
  std::int64_t i = 0;
  for (std::int64_t z = box.begin[0]; z < box.begin[0] + box.size[0]; ++z) {
    for (std::int64_t y = box.begin[1]; y < box.begin[1] + box.size[1]; ++y) {
      for (std::int64_t x = box.begin[2]; x < box.begin[2] + box.size[2]; ++x, ++i) {
        const bool inside = z >= 0 && y >= 0 && x >= 0 && z < voxels_[0] && y < voxels_[1] && x < voxels_[2];
        if (inside && !(background(answer, merge, i) >= clear_)) {
          unclear.marked(z / cell_side, y / cell_side, x / cell_side) = 1;
        }
      }
    }
  }
  bool wanted = false;
  for (std::int64_t k = 0; k < unclear.marked.size() && !wanted; ++k) {
    wanted = unclear.marked.data()[k] != 0 && exact_.marked.data()[k] < share_ * (answers_.marked.data()[k] + 1);
  }
  Triple first, last;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    first[axis] = std::max<std::int64_t>(0, box.begin[axis]) / cell_side;
    last[axis] = (std::min(voxels_[axis], box.begin[axis] + box.size[axis]) - 1) / cell_side;
  }
  const auto count = [](std::uint8_t& number) { number += number < 255; };
  for (auto z = first[0]; z <= last[0]; ++z) {
    for (auto y = first[1]; y <= last[1]; ++y) {
      for (auto x = first[2]; x <= last[2]; ++x) {
        count(answers_.marked(z, y, x));
        if (wanted) count(exact_.marked(z, y, x));
      }
    }
  }
  return wanted;
}

}  // namespace ichdet::pipeline
