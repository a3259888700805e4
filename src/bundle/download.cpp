#include "ichdet/bundle/download.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <thread>

#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/version.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;

/// What one attempt needs inside curl's callbacks.
struct Transfer {
  std::FILE* file = nullptr;
  std::int64_t done = 0;  ///< bytes in the file
  std::int64_t expected = 0;
  const Progress* progress = nullptr;
  std::string stage;
  int write_error = 0;
  bool too_long = false;
  std::exception_ptr stopped;
};

std::size_t on_data(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.done + std::int64_t(size) > transfer.expected) {
    transfer.too_long = true;
    return 0;
  }
  if (std::fwrite(data, 1, size, transfer.file) != size) {
    transfer.write_error = errno;
    return 0;
  }
  transfer.done += std::int64_t(size);
  return size;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    (*transfer.progress)(transfer.stage, double(transfer.done) / double(transfer.expected));
    return 0;
  } catch (...) {  // must not pass through C
    transfer.stopped = std::current_exception();
    return 1;
  }
}

void wait_s(double seconds, const std::string& stage, double fraction, const Progress& progress) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    progress(stage, fraction);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

[[noreturn]] void refuse_write(const fs::path& file, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  throw Error(full ? ErrorCode::limit : ErrorCode::io, file.string() + ": cannot be written: " + std::strerror(error));
}

struct Outcome {
  bool again = false;  ///< worth another attempt
  std::string reason;  ///< empty: done
};

/// One connection, appending to `part`.
Outcome attempt(const std::string& url, const fs::path& part, const std::string& stage, std::int64_t expected_size,
                const DownloadOptions& options, const Progress& progress) {
  std::error_code missing;
  const auto present = fs::file_size(part, missing);
  auto start = missing ? std::int64_t{0} : std::int64_t(present);
  if (start > expected_size) start = 0;
  if (start == expected_size) return {};

  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(part.c_str(), start > 0 ? "ab" : "wb"),
                                                             std::fclose);
  if (!file) refuse_write(part, errno);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) throw Error(ErrorCode::limit, "libcurl: could not be started");

  Transfer transfer;
  transfer.file = file.get();
  transfer.done = start;
  transfer.expected = expected_size;
  transfer.progress = &progress;
  transfer.stage = stage;
  char message[CURL_ERROR_SIZE] = "";
  const std::string agent = "ichdet/" + std::string(version);
  const char* protocols = options.allow_http ? "http,https" : "https";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_USERAGENT, agent.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, long(options.connect_timeout_s * 1000));
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, 1000L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, std::max(1L, long(options.stall_timeout_s)));
  curl_easy_setopt(curl.get(), CURLOPT_RESUME_FROM_LARGE, curl_off_t(start));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, message);

  const CURLcode code = curl_easy_perform(curl.get());
  if (std::fflush(file.get()) != 0 && transfer.write_error == 0) transfer.write_error = errno;
  if (transfer.stopped) std::rethrow_exception(transfer.stopped);
  if (transfer.write_error != 0) refuse_write(part, transfer.write_error);
  if (transfer.too_long) {
    fs::remove(part);
    return {false, "expected " + std::to_string(expected_size) + " bytes, found more"};
  }
  if (code == CURLE_OK && transfer.done == expected_size) return {};
  if (code == CURLE_OK) {
    return {true, "expected " + std::to_string(expected_size) + " bytes, found " + std::to_string(transfer.done)};
  }

  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  const std::string reason = message[0] != '\0' ? message : curl_easy_strerror(code);
  switch (code) {
    case CURLE_RANGE_ERROR:  // the server knows no ranges
      fs::remove(part);
      return {true, reason};
    case CURLE_HTTP_RETURNED_ERROR:
      if (status == 416) fs::remove(part);
      return {status >= 500 || status == 408 || status == 416 || status == 429,
              "HTTP status " + std::to_string(status)};
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return {true, reason};
    default: return {false, reason};
  }
}

}  // namespace

void download(const std::string& url, const fs::path& target, const ExpectedFile& expected,
              const DownloadOptions& options, const Progress& progress) {
  fs::path part = target;
  part.concat(".").concat(expected.sha256.substr(0, 12)).concat(".part");
  const std::string stage = "downloading " + target.filename().string();
  std::error_code ignored;
  const auto start = std::int64_t(fs::exists(part) ? fs::file_size(part) : 0);

  double pause = options.backoff_s;
  for (int tries = 1;; ++tries) {
    const auto outcome = attempt(url, part, stage, expected.size_bytes, options, progress);
    if (outcome.reason.empty()) break;
    if (!outcome.again || tries >= options.attempts) {
      throw Error(ErrorCode::weights, url + ": " + outcome.reason + " (attempt " + std::to_string(tries) + " of " +
                                          std::to_string(options.attempts) + ")");
    }
    const auto have = fs::file_size(part, ignored);
    wait_s(pause, stage, ignored ? 0.0 : double(have) / double(expected.size_bytes), progress);
    pause *= 2;
  }

  const auto found = sha256_of_file(part, progress);
  if (found != expected.sha256) {
    fs::remove(part);
    if (start > 0) return download(url, target, expected, options, progress);  // the resumed beginning may be to blame
    throw Error::mismatch(ErrorCode::weights, url + ": SHA-256", expected.sha256, found + "; the file was removed");
  }
  fs::rename(part, target);
}

}  // namespace ichdet
