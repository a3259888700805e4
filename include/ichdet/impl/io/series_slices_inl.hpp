#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/io/series_detail.hpp"
#include "ichdet/io/dicom_tags.hpp"

namespace ichdet::io::detail {

ICHDET_INLINE std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  return text;
}

ICHDET_INLINE bool contains_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](auto word) { return text.find(word) != std::string::npos; });
}

ICHDET_INLINE Error missing_tag(const DicomHeader& header, std::uint32_t tag, std::string_view expected) {
  return Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag), expected, "nothing");
}

ICHDET_INLINE int required_word(const DicomHeader& header, std::uint32_t tag, int lowest, int highest) {
  const auto value = header.word(header.data, tag);
  const std::string expected = "a number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  if (!value) throw missing_tag(header, tag, expected);
  if (*value < lowest || *value > highest) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag), expected, std::to_string(*value));
  }
  return *value;
}

ICHDET_INLINE std::optional<std::int32_t> padding_word(const DicomHeader& header, std::uint32_t tag,
                                                       const PixelLayout& layout) {
  const auto raw = header.word(header.data, tag);
  if (!raw) return std::nullopt;
  return layout.is_signed ? std::int32_t(std::int16_t(*raw)) : std::int32_t(*raw);
}

ICHDET_INLINE PixelLayout layout_of(const DicomHeader& header) {
  PixelLayout layout;
  layout.syntax = header.syntax;
  layout.transfer_syntax_uid = header.transfer_syntax_uid;
  layout.rows = required_word(header, tag::rows, 1, 65535);
  layout.columns = required_word(header, tag::columns, 1, 65535);
  layout.frames = header.integer(header.data, tag::number_of_frames).value_or(1);
  if (layout.frames < 1 || layout.frames > 1'000'000) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::number_of_frames), "1 to 1000000",
                          std::to_string(layout.frames));
  }
  layout.bits_allocated = required_word(header, tag::bits_allocated, 1, 64);
  if (layout.bits_allocated != 8 && layout.bits_allocated != 16) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::bits_allocated), "8 or 16",
                          std::to_string(layout.bits_allocated));
  }
  layout.bits_stored = required_word(header, tag::bits_stored, 1, layout.bits_allocated);
  layout.high_bit = header.word(header.data, tag::high_bit).value_or(std::uint16_t(layout.bits_stored - 1));
  if (layout.high_bit != layout.bits_stored - 1) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::high_bit),
                          std::to_string(layout.bits_stored - 1) + " (BitsStored - 1)",
                          std::to_string(layout.high_bit));
  }
  layout.is_signed = required_word(header, tag::pixel_representation, 0, 1) == 1;
  layout.photometric = header.text(tag::photometric);
  layout.offset = header.pixel_offset;
  layout.bytes = header.pixel_bytes;
  layout.encapsulated = header.encapsulated;
  layout.lossy = header.text(tag::lossy_compression) == "01";
  layout.padding_value = padding_word(header, tag::pixel_padding_value, layout);
  layout.padding_limit = padding_word(header, tag::pixel_padding_limit, layout);
  if (header.pixel_tag != tag::pixel_data) throw missing_tag(header, tag::pixel_data, "integer pixels");
  if (header.data.item(tag::modality_lut_sequence) != nullptr) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::modality_lut_sequence),
                          "RescaleSlope and RescaleIntercept, as CT images have", "a look-up table");
  }
  return layout;
}

/// Where an attribute of a frame stands: in its own functional groups, in the shared ones, or in the data set itself.
struct FrameGroups {
  const DicomDataset* own = nullptr;
  const DicomDataset* shared = nullptr;
  const DicomDataset* top = nullptr;

  const DicomDataset* of(std::uint32_t sequence) const {
    for (const auto* groups : {own, shared}) {
      if (groups == nullptr) continue;
      if (const auto* item = groups->item(sequence)) return item;
    }
    return top;
  }
};

ICHDET_INLINE SlicePlane plane_of(const DicomHeader& header, const FrameGroups& groups) {
  SlicePlane plane;
  const auto measures = groups.of(tag::pixel_measures_sequence);
  const auto spacing = header.decimals(*measures, tag::pixel_spacing, 2);
  if (!spacing) throw missing_tag(header, tag::pixel_spacing, "two positive numbers");
  if (!((*spacing)[0] > 0 && (*spacing)[1] > 0)) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::pixel_spacing), "two positive numbers",
                          std::to_string((*spacing)[0]) + "\\" + std::to_string((*spacing)[1]));
  }
  plane.row_spacing_mm = (*spacing)[0];
  plane.column_spacing_mm = (*spacing)[1];
  if (const auto thickness = header.decimals(*measures, tag::slice_thickness, 1)) {
    if ((*thickness)[0] < 0) {
      throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::slice_thickness), "a positive number",
                            std::to_string((*thickness)[0]));
    }
    plane.thickness_mm = (*thickness)[0];
  }
  const auto position = header.decimals(*groups.of(tag::plane_position_sequence), tag::image_position, 3);
  if (!position) throw missing_tag(header, tag::image_position, "three numbers");
  plane.position_mm = {(*position)[0], (*position)[1], (*position)[2]};
  const auto cosines = header.decimals(*groups.of(tag::plane_orientation_sequence), tag::image_orientation, 6);
  if (!cosines) throw missing_tag(header, tag::image_orientation, "six numbers");
  const auto& c = *cosines;
  plane.along_row = {c[0], c[1], c[2]};
  plane.along_column = {c[3], c[4], c[5]};
  const double skew = std::abs(plane.along_row.dot(plane.along_column));
  if (skew > 1e-3 || std::abs(plane.along_row.norm() - 1) > 1e-3 || std::abs(plane.along_column.norm() - 1) > 1e-3) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::image_orientation),
                          "two perpendicular unit vectors",
                          "lengths " + std::to_string(plane.along_row.norm()) + " and " +
                              std::to_string(plane.along_column.norm()) + ", |row . column| " + std::to_string(skew));
  }
  plane.along_row.normalize();
  plane.along_column.normalize();
  return plane;
}

/// One SliceRef for each frame. Throws Error(dicom) naming file and tag.
ICHDET_INLINE std::vector<SliceRef> slices_of(const DicomHeader& header) {
  const PixelLayout layout = layout_of(header);
  const auto* per_frame = header.data.find(tag::per_frame_functional_groups);
  if (layout.frames > 1 && per_frame == nullptr) {
    throw missing_tag(header, tag::per_frame_functional_groups, "a place for each of the file's frames");
  }
  if (per_frame != nullptr && std::int64_t(per_frame->items.size()) != layout.frames) {
    throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::per_frame_functional_groups),
                          std::to_string(layout.frames) + " items (NumberOfFrames)",
                          std::to_string(per_frame->items.size()));
  }
  const std::string uid = header.text(tag::sop_instance_uid);
  if (uid.empty()) throw missing_tag(header, tag::sop_instance_uid, "a UID");
  if (header.text(tag::series_instance_uid).empty()) throw missing_tag(header, tag::series_instance_uid, "a UID");

  std::vector<SliceRef> slices;
  for (std::int64_t frame = 0; frame < layout.frames; ++frame) {
    const FrameGroups groups{per_frame == nullptr ? nullptr : &per_frame->items[std::size_t(frame)],
                             header.data.item(tag::shared_functional_groups), &header.data};
    SliceRef slice;
    slice.file = header.file;
    slice.frame = frame;
    slice.pixels = layout;
    slice.plane = plane_of(header, groups);
    slice.plane.sop_instance_uid = uid;
    const auto* rescale = groups.of(tag::pixel_value_transformation_sequence);
    const auto slope = header.decimals(*rescale, tag::rescale_slope, 1);
    const auto intercept = header.decimals(*rescale, tag::rescale_intercept, 1);
    if (!slope) throw missing_tag(header, tag::rescale_slope, "a number");
    if (!intercept) throw missing_tag(header, tag::rescale_intercept, "a number");
    if ((*slope)[0] == 0 || std::abs((*slope)[0]) > 1e6) {
      throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::rescale_slope),
                            "a number other than 0, up to 1e6", std::to_string((*slope)[0]));
    }
    if (std::abs((*intercept)[0]) > 1e6) {
      throw Error::mismatch(ErrorCode::dicom, tag_in_file(header.file, tag::rescale_intercept), "a number up to 1e6",
                            std::to_string((*intercept)[0]));
    }
    slice.slope = (*slope)[0];
    slice.intercept = (*intercept)[0];
    slice.instance_number = layout.frames > 1 ? std::nullopt : header.integer(header.data, tag::instance_number);
    slices.push_back(std::move(slice));
  }
  return slices;
}

/// The rule by which a readable DICOM file is not part of a CT series, and why; nothing where it is.
ICHDET_INLINE std::optional<std::pair<SetAsideRule, std::string>> rule_for(const DicomHeader& header) {
  const std::string sop_class = header.text(tag::sop_class_uid);
  const std::string storage = "1.2.840.10008.5.1.4.1.1.";
  const std::string modality = header.text(tag::modality);
  std::string type = upper(header.text(tag::image_type));
  for (const auto group : {tag::shared_functional_groups, tag::per_frame_functional_groups}) {
    const auto* groups = header.data.item(group);
    const auto* frame = groups == nullptr ? nullptr : groups->item(tag::ct_frame_type_sequence);
    if (frame != nullptr) type += '\\' + upper(header.text(*frame, tag::frame_type));
  }
  if (sop_class == storage + "7" || sop_class.starts_with(storage + "7.")) {
    return std::pair(SetAsideRule::exam_summary, "SOP class is Secondary Capture");
  }
  const bool ct_class = sop_class == storage + "2" || sop_class == storage + "2.1" || sop_class == storage + "2.2";
  if (!modality.empty() && modality != "CT") return std::pair(SetAsideRule::not_ct, "Modality is " + modality);
  if (!sop_class.empty() && !ct_class) return std::pair(SetAsideRule::not_ct, "SOP class is " + sop_class);
  if (header.pixel_tag == 0) return std::pair(SetAsideRule::no_pixels, "no pixel data in it");
  if (modality.empty() && sop_class.empty()) {
    return std::pair(SetAsideRule::not_ct, "neither Modality nor SOP class says CT");
  }
  if (contains_any(type, {"LOCALIZER", "SCOUT"})) return std::pair(SetAsideRule::localizer, "ImageType is " + type);
  if (contains_any(type, {"SCREEN", "SUMMARY", "DOSE", " PROT", "REPORT"})) {
    return std::pair(SetAsideRule::exam_summary, "ImageType is " + type);
  }
  if (header.word(header.data, tag::samples_per_pixel).value_or(1) != 1) {
    return std::pair(SetAsideRule::exam_summary, "a colour image");
  }
  return std::nullopt;
}

ICHDET_INLINE void identify(const DicomHeader& header, SeriesInfo& series) {
  auto& id = series.identity;
  id.study_instance_uid = header.text(tag::study_instance_uid);
  id.series_instance_uid = header.text(tag::series_instance_uid);
  id.series_description = header.text(tag::series_description);
  id.convolution_kernel = header.text(tag::convolution_kernel);
  for (const auto group : {tag::shared_functional_groups, tag::per_frame_functional_groups}) {
    const auto* groups = header.data.item(group);
    const auto* reconstruction = groups == nullptr ? nullptr : groups->item(tag::ct_reconstruction_sequence);
    if (reconstruction != nullptr && id.convolution_kernel.empty()) {
      id.convolution_kernel = header.text(*reconstruction, tag::convolution_kernel);
    }
  }
  id.manufacturer = header.text(tag::manufacturer);
  id.modality = header.text(tag::modality);
  id.study_date = header.text(tag::study_date);
  id.patient_id = header.text(tag::patient_id);
  series.frame_of_reference_uid = header.text(tag::frame_of_reference_uid);
  series.study_description = header.text(tag::study_description);
  series.protocol_name = header.text(tag::protocol_name);
  series.body_part = header.text(tag::body_part);
  series.image_type = header.text(tag::image_type);
  series.contrast = !header.text(tag::contrast_agent).empty();
  series.series_number = header.integer(header.data, tag::series_number);
  series.rows = header.word(header.data, tag::rows).value_or(0);
  series.columns = header.word(header.data, tag::columns).value_or(0);
}

ICHDET_INLINE FileRecord record_of(const std::filesystem::path& file, const DicomLimits& limits) {
  FileRecord record;
  const auto aside = [&](SetAsideRule rule, const std::string& detail) {
    const auto& id = record.series.identity;
    record.aside = SetAside{file, rule, detail, id.series_instance_uid, id.series_description};
  };
  DicomHeader header;
  try {
    if (!is_dicom(file)) {
      aside(SetAsideRule::not_dicom, "no 'DICM' at byte 128");
      return record;
    }
    header = read_dicom_header(file, limits);
  } catch (const Error& e) {
    std::string_view reason = e.what();  // begins with the file and ": " or ", "; the file stands beside it
    const auto name = file.string().size() + 2;
    if (reason.starts_with(file.string()) && reason.size() > name) reason.remove_prefix(name);
    aside(SetAsideRule::unreadable, std::string(reason));
    return record;
  }
  identify(header, record.series);
  if (const auto rule = rule_for(header)) {
    aside(rule->first, rule->second);
    return record;
  }
  record.sop_instance_uid = header.text(tag::sop_instance_uid);
  try {
    record.series.slices = slices_of(header);
    if (const auto tilt = header.decimals(header.data, tag::gantry_tilt, 1)) record.tilt_tag_degrees = (*tilt)[0];
  } catch (const Error& e) {
    record.series.problems.emplace_back(e.what());
  }
  return record;
}

}  // namespace ichdet::io::detail
