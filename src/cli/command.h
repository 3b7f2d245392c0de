// What the sub-commands share: how they register, fail and exit.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "octet/octet.hpp"

namespace CLI {
class App;
}

namespace octet::cli {

// Exit codes; docs/cli.md promises them.
enum ExitCode {
  kExitOk = 0,
  kExitDifferent = 1,  // the command worked and the answer is no
  kExitUsage = 2,      // bad arguments, inputs that do not fit the model
  kExitBadModel = 3,   // not a model, or one that this build cannot run
  kExitIo = 4,
  kExitRamLimit = 5,  // over a limit, or out of memory
};

class CommandError : public std::runtime_error {
 public:
  CommandError(ExitCode code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

[[noreturn]]
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void Die(ExitCode code, const char* format, ...);

ExitCode ExitCodeOf(octet_status status);

// Throws the failure of a call; the text begins with `what` (a file name, mostly).
[[noreturn]] void DieOf(octet_status status, const std::string& message, const std::string& what);

// The value of a result, or DieOf.
template <class T>
T Unwrap(Result<T> result, const std::string& what = {}) {
  if (!result) DieOf(result.status(), result.message(), what);
  return std::move(result).value();
}
void Check(const Result<void>& result, const std::string& what = {});

// Does the sub-command's work; returns the exit code.
using Action = std::function<int()>;

// Each adds its sub-command to the app. When the sub-command was given, *action becomes its work.
void AddConvert(CLI::App* app, Action* action);
void AddRun(CLI::App* app, Action* action);
void AddInspect(CLI::App* app, Action* action);
void AddBench(CLI::App* app, Action* action);
void AddCompare(CLI::App* app, Action* action);
void AddQuantize(CLI::App* app, Action* action);
void AddValidate(CLI::App* app, Action* action);

}  // namespace octet::cli
