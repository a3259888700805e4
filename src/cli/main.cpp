#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "commands.hpp"
#include "ichdet/core/error.hpp"

namespace {

enum Exit { done = 0, failed = 1, wrong_usage = 2, input_refused = 3, weights_refused = 4, out_of_resources = 5, interrupted = 130 };

int exit_code(ichdet::ErrorCode code) {
  switch (code) {
    case ichdet::ErrorCode::options: return wrong_usage;
    case ichdet::ErrorCode::io:
    case ichdet::ErrorCode::dicom:
    case ichdet::ErrorCode::geometry:
    case ichdet::ErrorCode::shape: return input_refused;
    case ichdet::ErrorCode::weights: return weights_refused;
    case ichdet::ErrorCode::limit: return out_of_resources;
    case ichdet::ErrorCode::cancelled: return interrupted;
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Finds intracranial hemorrhage on head CT. Not for clinical use.", "ichdet"};
  app.set_version_flag("--version", ICHDET_VERSION);
  app.require_subcommand(1);
  ichdet::cli::Context context;
  try {
    app.parse(argc, argv);
    return done;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? done : wrong_usage;
  } catch (const ichdet::Error& e) {
    std::fprintf(stderr, "ichdet: error[%s]: %s\n", std::string(to_string(e.code())).c_str(), e.what());
    return exit_code(e.code());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "ichdet: error[limit]: out of memory\n");
    return out_of_resources;
  }
}
