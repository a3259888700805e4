#pragma once

#include <cstdint>
#include <span>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet {

using Array2f = Array<float, 2>;

/// How the slices of a stack are shown: turned by quarter turns and mirrored, never resampled, until they lie as
/// radiologists read them. Axial: nose up, the patient's right at the left. Coronal: head up, right at the left.
/// Sagittal: head up, nose to the left.
struct SliceView {
  bool transposed = false;  ///< the picture's rows are the stack's columns
  bool rows_flipped = false;
  bool columns_flipped = false;
  char left = 'R', right = 'L', top = 'A', bottom = 'P';  ///< where the picture's edges point: R L A P S I
  double column_mm = 1, row_mm = 1;                       ///< size of the picture's pixels before any scaling

  /// The part that is shown, in the picture's rows and columns.
  std::int64_t first_row = 0, first_column = 0, rows = 0, columns = 0;
  std::int64_t first_slice = 0, slices = 0;  ///< those before and behind show no head
};

struct ViewOptions {
  bool crop_to_head = true;
  double margin_mm = 8;  ///< of air around the head
};

/// The view of a stack. With `crop_to_head` one part for all slices, so that scale and place stay the same from slice
/// to slice: the bounding box of the largest piece that is denser than air, table and head rest cut off by an opening
/// of 6 mm, every pixel for which `keep` (if given) is not 0 added, and the margin. Where no head is seen, the whole
/// slice.
SliceView upright_view(const SliceStack& stack, const ViewOptions& options = {}, const Array3<std::uint8_t>& keep = {});

/// One slice's values as the view shows it, cropped and not scaled.
template <class T>
Array<T, 2> shown(const SliceView& view, const Array3<T>& values, std::int64_t slice) {
  const auto stack_rows = values.extent(1);
  const auto stack_columns = values.extent(2);
  const auto all_rows = view.transposed ? stack_columns : stack_rows;
  const auto all_columns = view.transposed ? stack_rows : stack_columns;
  Array<T, 2> plane({view.rows, view.columns});
  for (std::int64_t r = 0; r < view.rows; ++r) {
    const auto row = view.rows_flipped ? all_rows - 1 - (view.first_row + r) : view.first_row + r;
    for (std::int64_t c = 0; c < view.columns; ++c) {
      const auto column = view.columns_flipped ? all_columns - 1 - (view.first_column + c) : view.first_column + c;
      plane(r, c) = view.transposed ? values(slice, column, row) : values(slice, row, column);
    }
  }
  return plane;
}

/// What weighs the neighbours in `resize`.
enum class Kernel {
  cubic,   ///< Keys' cubic, a = -0.5: sharp, for pictures
  spline,  ///< the cubic B-spline: smooth and never negative, for masks
  linear,  ///< never beyond its neighbours, and keeps their values: for heat maps
};

/// Another size by separable convolution; where the picture shrinks the kernel widens, so that nothing aliases. Edges
/// repeat. `width`: how many input pixels a unit of the kernel spans at least; above 1 it smooths.
Array2f resize(const Array2f& values, std::int64_t rows, std::int64_t columns, Kernel kernel = Kernel::cubic,
               double width = 1);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/view_inl.hpp"
#endif
