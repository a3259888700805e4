#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "ichdet/core/progress.hpp"

namespace ichdet {

/// What a download must turn out to be.
struct ExpectedFile {
  std::string sha256;
  std::int64_t size_bytes = 0;
};

struct DownloadOptions {
  bool allow_http = false;  ///< plain http:// too, for a mirror; the hash is checked either way
  int attempts = 4;         ///< in all, after cut connections and server errors (5xx, 408, 429)
  double backoff_s = 0.5;   ///< before the second attempt; doubles with each
  double connect_timeout_s = 15;
  double stall_timeout_s = 30;  ///< gives an attempt up when less than 1 kB/s came for so long
};

/// Downloads `url` to `target` (its folder exists), whose SHA-256 and size are then as expected.
///
/// Bytes go to `<target>.<first 12 digits of the hash>.part`, which an interrupted call leaves behind and the next one
/// resumes (from the start where the server knows no ranges). The finished file is renamed into place. TLS certificates
/// are verified; redirects lead to https only, unless `allow_http`. Proxies are taken from the environment, as curl
/// does.
///
/// Throws Error(weights): not to be had, longer than expected, or another hash (which is named; the file is removed);
/// Error(io) or Error(limit): it cannot be written; Error(cancelled).
void download(const std::string& url, const std::filesystem::path& target, const ExpectedFile& expected,
              const DownloadOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet
