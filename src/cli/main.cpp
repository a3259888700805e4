#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "interrupt.hpp"
#include "progress_bar.hpp"

namespace {

enum Exit {
  done = 0,
  failed = 1,
  wrong_usage = 2,
  input_refused = 3,
  weights_refused = 4,
  out_of_resources = 5,
  interrupted = 130
};

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

int refuse(ichdet::cli::ProgressBar& bar, std::string_view code, std::string message, int exit) {
  bar.clear();
  std::ranges::replace(message, '\n', ' ');  // one line, whatever a library wrote
  std::fprintf(stderr, "ichdet: error[%s]: %s\n", std::string(code).c_str(), message.c_str());
  return exit;
}

/// What is wrong with the arguments, and which help tells more.
std::string usage_error(CLI::App& app, const CLI::ParseError& error) {
  std::string text = error.what();
  const auto unknown = app.remaining(true);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !unknown.empty()) {
    text += ", but \"" + unknown.front() + "\" is not known";
  }
  std::string command = "ichdet";
  for (const auto* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  return text + "; `" + command + " --help` says what there is";
}

/// OpenMP's threads spin for milliseconds while they wait, which on a busy machine makes all several times as
/// slow. Its runtime reads its settings once, when it is loaded, so the program begins anew; where that fails, it goes
/// on. This runs before the libraries' constructors, of which LibTorch's take a third of a second, and before there is
/// memory to be had.
void spin_briefly(int, char** argv, char** environment) {
  static char setting[] = "GOMP_SPINCOUNT=10000";
  static std::array<char*, 4096> all;
  std::size_t count = 0;
  for (; environment[count] != nullptr; ++count) {
    const std::string_view one = environment[count];
    if (one.starts_with("GOMP_SPINCOUNT=") || one.starts_with("OMP_WAIT_POLICY=") || count + 2 == all.size()) return;
    all[count] = environment[count];
  }
  all[count] = setting;
  ::execve("/proc/self/exe", argv, all.data());
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const begin)(int, char**, char**) = spin_briefly;

/// Memory that the main thread frees is kept for what comes next. A large piece would go back to the system, and be
/// cleared page by page when it is asked for again: a tenth of the time of a segmentation.
void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  CLI::App app{"Finds intracranial hemorrhage on head CT. Not for clinical use.", "ichdet"};
  app.set_version_flag("--version", std::string(ichdet::version));
  app.require_subcommand(1);
  const ichdet::cli::Interrupt interrupt;
  ichdet::cli::ProgressBar bar;
  ichdet::cli::Context context;
  for (int i = 0; i < argc; ++i) context.command_line += (i > 0 ? " " : "") + std::string(i > 0 ? argv[i] : "ichdet");
  context.progress.stop = interrupt.token();
  const ichdet::StopScope scope(interrupt.token());
  context.progress.report = [&](std::string_view stage, double fraction) {
    if (!context.quiet) bar.draw(stage, fraction);
  };
  ichdet::cli::add_detect(app, context);
  ichdet::cli::add_classify(app, context);
  ichdet::cli::add_explain(app, context);
  ichdet::cli::add_info(app, context);
  ichdet::cli::add_convert(app, context);
  ichdet::cli::add_window(app, context);
  ichdet::cli::add_models(app, context);
  ichdet::cli::add_evaluate(app, context);
  ichdet::cli::add_calibrate(app, context);
  ichdet::cli::add_strip(app, context);
  ichdet::cli::add_import(app, context);
  ichdet::cli::add_export(app, context);
  ichdet::cli::add_train(app, context);
  ichdet::cli::add_finetune(app, context);
  ichdet::cli::add_judge(app, context);
  ichdet::cli::add_judge_explanations(app, context);
  ichdet::cli::add_monitor(app, context);
  ichdet::cli::add_card(app, context);
  ichdet::cli::add_phantom(app, context);
  ichdet::cli::add_paint(app, context);
  try {
    app.parse(argc, argv);
    return done;
  } catch (const CLI::RuntimeError& e) {  // a command's own verdict
    return e.get_exit_code();
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    return refuse(bar, "options", usage_error(app, e), wrong_usage);
  } catch (const ichdet::Error& e) {
    return refuse(bar, to_string(e.code()), e.what(), exit_code(e.code()));
  } catch (const std::bad_alloc&) {
    return refuse(bar, "limit", "out of memory", out_of_resources);
  } catch (const std::system_error& e) {
    const bool resources = e.code() == std::errc::no_space_on_device || e.code() == std::errc::not_enough_memory ||
                           e.code() == std::errc::resource_unavailable_try_again;
    return resources ? refuse(bar, "limit", e.what(), out_of_resources) : refuse(bar, "io", e.what(), input_refused);
  } catch (const std::exception& e) {
    return refuse(bar, "internal", e.what(), failed);
  }
}
