// Is a text well-formed XML, as far as this project writes it: elements, attributes, the predefined
// entities, no comments or CDATA.
#pragma once

#include <cctype>
#include <string>
#include <vector>

namespace octet {

// "" or what is wrong.
inline std::string XmlError(const std::string& text) {
  size_t at = 0;
  const auto error = [&](const std::string& what) {
    return what + " at byte " + std::to_string(at) + ": " + text.substr(at, 40);
  };
  const auto name = [&] {
    std::string result;
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) ||
                                std::string("-_:").find(text[at]) != std::string::npos)) {
      result += text[at++];
    }
    return result;
  };
  const auto space = [&] {
    while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) ++at;
  };
  // One character of text or of a value; false if it may not stand there.
  const auto character = [&] {
    const unsigned char c = static_cast<unsigned char>(text[at]);
    if (c == '&') {
      for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;"}) {
        if (text.compare(at, std::string(entity).size(), entity) == 0) {
          at += std::string(entity).size();
          return true;
        }
      }
      return false;
    }
    if (c < 0x80) {
      ++at;
      return c >= 0x20 || c == '\n' || c == '\t';
    }
    const size_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    if (c < 0xC2 || c > 0xF4 || at + more >= text.size()) return false;
    for (size_t i = 1; i <= more; ++i) {
      if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return false;
    }
    at += more + 1;
    return true;
  };

  if (text.compare(0, 15, "<!DOCTYPE html>") == 0) at = 15;
  std::vector<std::string> open;
  bool root = false;
  while (at < text.size()) {
    if (text[at] != '<') {
      if (open.empty() && !std::isspace(static_cast<unsigned char>(text[at]))) {
        return error("text outside the root");
      }
      if (!character()) return error("a character that must be escaped");
      continue;
    }
    ++at;
    if (at < text.size() && text[at] == '/') {
      ++at;
      const std::string tag = name();
      if (open.empty() || open.back() != tag) return error("end of " + tag + " that is not open");
      open.pop_back();
      space();
      if (at >= text.size() || text[at] != '>') return error("an end that does not end");
      ++at;
      continue;
    }
    const std::string tag = name();
    if (tag.empty()) return error("no name");
    if (open.empty() && root) return error("a second root");
    root = true;
    std::vector<std::string> attributes;
    for (;;) {
      space();
      if (at >= text.size()) return error("a tag that does not end");
      if (text[at] == '>') {
        ++at;
        open.push_back(tag);
        break;
      }
      if (text.compare(at, 2, "/>") == 0) {
        at += 2;
        break;
      }
      const std::string attribute = name();
      for (const std::string& other : attributes) {
        if (other == attribute) return error("an attribute twice");
      }
      attributes.push_back(attribute);
      if (attribute.empty() || text.compare(at, 2, "=\"") != 0) return error("no attribute");
      at += 2;
      while (at < text.size() && text[at] != '"') {
        if (text[at] == '<' || !character()) return error("a value that must be escaped");
      }
      if (at >= text.size()) return error("a value that does not end");
      ++at;
    }
  }
  if (!open.empty()) return error(open.back() + " is not closed");
  return root ? "" : "no element";
}

}  // namespace octet
