#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/geometry.hpp"

namespace ichdet {

/// Where one slice lies. All vectors are LPS.
struct SlicePlane {
  Eigen::Vector3d position_mm = Eigen::Vector3d::Zero();    ///< centre of the first pixel (row 0, column 0)
  Eigen::Vector3d along_row = Eigen::Vector3d::UnitX();     ///< unit vector in which the column index grows
  Eigen::Vector3d along_column = Eigen::Vector3d::UnitY();  ///< unit vector in which the row index grows
  double column_spacing_mm = 1;  ///< between neighbouring columns, along `along_row` (DICOM PixelSpacing[1])
  double row_spacing_mm = 1;     ///< between neighbouring rows, along `along_column` (DICOM PixelSpacing[0])
  double thickness_mm = 0;       ///< nominal; 0 where the file does not say
  std::string sop_instance_uid;  ///< empty where the slice did not come from DICOM

  /// Unit normal, along_row x along_column.
  Eigen::Vector3d normal() const;
  /// LPS position of a pixel's centre.
  Eigen::Vector3d to_lps(double row, double column) const;
};

/// The planes of a series as acquired, without their pixels: tilt and variable gaps are kept as they are.
///
/// The planes are parallel, of one matrix size, sorted along their common normal, and no two coincide.
class SliceGeometry {
 public:
  /// Sorts nothing and guesses nothing. Throws Error(geometry) where the planes are not as stated above.
  /// A single plane must state its thickness.
  SliceGeometry(std::vector<SlicePlane> planes, std::int64_t rows, std::int64_t columns,
                std::string frame_of_reference_uid = {});

  /// The planes of a regular grid, along its z axis. The grid's voxels keep their places, sheared or not.
  explicit SliceGeometry(const Geometry& grid);

  const std::vector<SlicePlane>& planes() const noexcept { return planes_; }
  std::int64_t count() const noexcept { return std::int64_t(planes_.size()); }
  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t columns() const noexcept { return columns_; }
  const std::string& frame_of_reference_uid() const noexcept { return frame_of_reference_uid_; }
  /// (slice, row, column)
  std::array<std::int64_t, 3> shape() const noexcept { return {count(), rows_, columns_}; }

  const Eigen::Vector3d& normal() const noexcept { return normal_; }
  /// Distance of each plane from the first, along the normal; increasing, starting at 0.
  const std::vector<double>& offsets_mm() const noexcept { return offsets_; }
  /// How much space each slice stands for along the normal: half-way to each neighbour; at both ends as far outwards
  /// as inwards. A single slice: its thickness.
  std::vector<double> extents_mm() const;
  /// Median distance between neighbouring planes; a single slice: its thickness.
  double nominal_gap_mm() const;
  /// Angle between the normal and the direction from the first to the last plane's first pixel: the gantry's tilt.
  double tilt_degrees() const;

  /// The exact grid, sheared if the gantry was tilted, where all steps are equal within `tolerance_mm`; else nothing.
  std::optional<Geometry> regular(double tolerance_mm = 0.01) const;
  /// `regular()`, or else a grid of the same slices with the mean step from the first to the last plane.
  Geometry nominal() const;

 private:
  std::vector<SlicePlane> planes_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::string frame_of_reference_uid_;
  Eigen::Vector3d normal_;
  std::vector<double> offsets_;
};

/// Who was scanned and how, as far as reports need it. Empty strings where the source does not say.
struct SeriesIdentity {
  std::string study_instance_uid, series_instance_uid;
  std::string series_description, convolution_kernel, manufacturer, modality;
  std::string study_date, patient_id;
};

/// A series as acquired, in Hounsfield units: what slice models read.
struct SliceStack {
  SliceGeometry geometry;
  Array3<float> hu;              ///< slice, row, column; padded pixels keep their stored value
  Array3<std::uint8_t> padding;  ///< 1 where the scanner measured nothing; empty where there is no such pixel
  SeriesIdentity identity;
  std::vector<std::string> assumptions;  ///< what had to be assumed to read it, one sentence each

  /// Throws Error(shape) where the arrays are not of the geometry's shape.
  SliceStack(SliceGeometry planes, Array3<float> hu_values, Array3<std::uint8_t> padding_mask = {});
};

/// One small integer per pixel of a stack; `names[label]` says what it means, `names[0]` being background.
struct SliceLabels {
  Array3<std::uint8_t> labels;  ///< slice, row, column
  std::vector<std::string> names;
  SliceGeometry geometry;

  SliceLabels(Array3<std::uint8_t> label_values, std::vector<std::string> label_names, SliceGeometry planes);
};

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/core/slice_stack_inl.hpp"
#endif
