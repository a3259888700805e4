#include "subprocess.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

namespace ichdet {
namespace {

std::string tail_of(const std::filesystem::path& log) {
  std::ifstream stream(log, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  constexpr std::size_t most = 4000;
  return text.size() > most ? text.substr(text.size() - most) : text;
}

int wait_for(pid_t child, const std::string& stage, const Progress& progress) {
  int status = 0;
  const auto collect = [&](int flags) {
    pid_t ended = 0;
    do ended = ::waitpid(child, &status, flags);
    while (ended < 0 && errno == EINTR);
    return ended != 0;
  };
  try {
    while (!collect(WNOHANG)) {
      progress(stage, 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
  } catch (...) {
    ::kill(child, SIGKILL);
    collect(0);
    throw;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Exit run(const std::vector<std::string>& command, const std::filesystem::path& log, const std::string& stage,
         const Progress& progress) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int failure = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return {127, std::strerror(failure)};
  const int code = wait_for(child, stage, progress);
  progress(stage, 1);
  return {code, tail_of(log)};
}

}  // namespace ichdet
