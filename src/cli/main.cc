// The octet command.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "src/cli/command.h"

int main(int argc, char** argv) {
  using namespace octet::cli;
  CLI::App app{"Octet: int8 neural networks on small devices", "octet"};
  app.set_version_flag("--version", std::string("octet ") + octet_version());
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 compared models differ, 2 bad arguments or inputs, 3 bad or\n"
      "unsupported model, 4 a file cannot be read or written, 5 over a RAM limit.\n"
      "\"octet COMMAND --help\" has examples.");
  Action action;
  AddConvert(&app, &action);
  AddRun(&app, &action);
  AddInspect(&app, &action);
  AddBench(&app, &action);
  AddCompare(&app, &action);
  AddQuantize(&app, &action);
  AddValidate(&app, &action);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const auto commands = app.get_subcommands();
    if (commands.empty() && argc > 1 && argv[1][0] != '-') {
      std::fprintf(stderr, "octet: there is no command \"%s\" (see octet --help)\n", argv[1]);
    } else {
      const std::string command = commands.empty() ? "" : commands.front()->get_name() + " ";
      std::fprintf(stderr, "octet: %s (see octet %s--help)\n", error.what(), command.c_str());
    }
    return kExitUsage;
  }
  try {
    const int code = action();
    // A full disk or a closed pipe shows only now.
    if (std::fflush(stdout) != 0) Die(kExitIo, "cannot write to standard output");
    return code;
  } catch (const CommandError& error) {
    std::fprintf(stderr, "octet: %s\n", error.what());
    return error.code();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "octet: out of memory\n");
    return kExitRamLimit;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "octet: %s\n", error.what());
    return kExitUsage;
  }
}
