#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"

namespace ichdet {

/// A result as `result.json` holds it; docs/result.schema.json describes every field. Field order is fixed and numbers
/// are written so that they read back as the same doubles: the same result gives the same text.
///
/// `bundle` is the one bundle used; of an ensemble it has the members' names joined by " + ", their versions likewise
/// (once if all are equal) and an empty hash, and `bundles` lists the members.
/// Throws Error(options) that names the field where a number is not finite, which JSON cannot hold.
nlohmann::ordered_json to_json(const StudyResult& result);

/// The inverse. Fields unknown to this version are passed over. Throws Error(io) that names the field which is missing
/// or of another type.
StudyResult study_result_from_json(const nlohmann::ordered_json& json);

/// UTF-8 text, indented by two spaces, ending in a newline. What is not valid UTF-8 (names from DICOM files) becomes
/// U+FFFD. Throws Error(io) that names the file.
std::string to_json_text(const StudyResult& result);
void write_result(const std::filesystem::path& path, const StudyResult& result);
StudyResult read_result(const std::filesystem::path& path);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/json_inl.hpp"
#endif
