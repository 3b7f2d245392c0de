// What the HTML pages share: one file each, no network.
#pragma once

#include <string>

namespace octet::cli {

// Everything up to and with the heading; `title` is plain text. `more_style` comes after the shared
// style.
std::string PageBegin(const std::string& title, const char* more_style = "");
std::string PageEnd();
// A figure with its name and a note; all plain text.
std::string PageCard(const std::string& name, const std::string& value, const std::string& note);

}  // namespace octet::cli
