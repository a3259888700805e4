#pragma once

#include <cstdint>

/// The tags that ichdet reads, as group << 16 | element.
namespace ichdet::io::tag {

inline constexpr std::uint32_t transfer_syntax_uid = 0x00020010;
inline constexpr std::uint32_t image_type = 0x00080008;
inline constexpr std::uint32_t sop_class_uid = 0x00080016;
inline constexpr std::uint32_t sop_instance_uid = 0x00080018;
inline constexpr std::uint32_t study_date = 0x00080020;
inline constexpr std::uint32_t modality = 0x00080060;
inline constexpr std::uint32_t manufacturer = 0x00080070;
inline constexpr std::uint32_t study_description = 0x00081030;
inline constexpr std::uint32_t series_description = 0x0008103E;
inline constexpr std::uint32_t patient_id = 0x00100020;
inline constexpr std::uint32_t contrast_agent = 0x00180010;
inline constexpr std::uint32_t body_part = 0x00180015;
inline constexpr std::uint32_t slice_thickness = 0x00180050;
inline constexpr std::uint32_t protocol_name = 0x00181030;
inline constexpr std::uint32_t gantry_tilt = 0x00181120;
inline constexpr std::uint32_t convolution_kernel = 0x00181210;
inline constexpr std::uint32_t ct_reconstruction_sequence = 0x00189314;
inline constexpr std::uint32_t ct_frame_type_sequence = 0x00189329;
inline constexpr std::uint32_t frame_type = 0x00089007;
inline constexpr std::uint32_t study_instance_uid = 0x0020000D;
inline constexpr std::uint32_t series_instance_uid = 0x0020000E;
inline constexpr std::uint32_t series_number = 0x00200011;
inline constexpr std::uint32_t instance_number = 0x00200013;
inline constexpr std::uint32_t image_position = 0x00200032;
inline constexpr std::uint32_t image_orientation = 0x00200037;
inline constexpr std::uint32_t frame_of_reference_uid = 0x00200052;
inline constexpr std::uint32_t plane_position_sequence = 0x00209113;
inline constexpr std::uint32_t plane_orientation_sequence = 0x00209116;
inline constexpr std::uint32_t samples_per_pixel = 0x00280002;
inline constexpr std::uint32_t photometric = 0x00280004;
inline constexpr std::uint32_t number_of_frames = 0x00280008;
inline constexpr std::uint32_t rows = 0x00280010;
inline constexpr std::uint32_t columns = 0x00280011;
inline constexpr std::uint32_t pixel_spacing = 0x00280030;
inline constexpr std::uint32_t bits_allocated = 0x00280100;
inline constexpr std::uint32_t bits_stored = 0x00280101;
inline constexpr std::uint32_t high_bit = 0x00280102;
inline constexpr std::uint32_t pixel_representation = 0x00280103;
inline constexpr std::uint32_t pixel_padding_value = 0x00280120;
inline constexpr std::uint32_t pixel_padding_limit = 0x00280121;
inline constexpr std::uint32_t rescale_intercept = 0x00281052;
inline constexpr std::uint32_t rescale_slope = 0x00281053;
inline constexpr std::uint32_t lossy_compression = 0x00282110;
inline constexpr std::uint32_t modality_lut_sequence = 0x00283000;
inline constexpr std::uint32_t pixel_measures_sequence = 0x00289110;
inline constexpr std::uint32_t pixel_value_transformation_sequence = 0x00289145;
inline constexpr std::uint32_t shared_functional_groups = 0x52009229;
inline constexpr std::uint32_t per_frame_functional_groups = 0x52009230;
inline constexpr std::uint32_t float_pixel_data = 0x7FE00008;
inline constexpr std::uint32_t double_pixel_data = 0x7FE00009;
inline constexpr std::uint32_t pixel_data = 0x7FE00010;

}  // namespace ichdet::io::tag
