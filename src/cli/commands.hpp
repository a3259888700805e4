#pragma once

#include <functional>
#include <string>

#include "ichdet/core/progress.hpp"

namespace CLI {
class App;
}

namespace ichdet::cli {

/// What every command may use.
struct Context {
  bool quiet = false;        ///< no progress, no summary
  bool json = false;         ///< the summary on stdout as JSON
  std::string command_line;  ///< as typed
  Progress progress;         ///< draws bars on a terminal; stops on Ctrl-C
};

/// Each adds one subcommand to `app`. Its callback throws ichdet::Error; main turns that into message and exit code.
void add_detect(CLI::App& app, Context& context);
void add_classify(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_info(CLI::App& app, Context& context);
void add_convert(CLI::App& app, Context& context);
void add_window(CLI::App& app, Context& context);
void add_phantom(CLI::App& app, Context& context);
void add_paint(CLI::App& app, Context& context);
void add_models(CLI::App& app, Context& context);
void add_evaluate(CLI::App& app, Context& context);
void add_calibrate(CLI::App& app, Context& context);
void add_strip(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_train(CLI::App& app, Context& context);
void add_finetune(CLI::App& app, Context& context);
void add_judge(CLI::App& app, Context& context);
void add_judge_explanations(CLI::App& app, Context& context);
void add_monitor(CLI::App& app, Context& context);
void add_card(CLI::App& app, Context& context);
void add_models_make(CLI::App& models, Context& context);

}  // namespace ichdet::cli
