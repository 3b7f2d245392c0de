#include "src/cli/page.h"

#include "src/memory/svg.h"

namespace octet::cli {
namespace {

constexpr char kStyle[] = R"(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c1f24;--soft:#5d646e;--line:#dde0e5;
--accent:#2f6fed;--bar:#2f6fed33;--warn:#b45309}
@media(prefers-color-scheme:dark){:root{--bg:#0f1114;--card:#181b20;--ink:#e4e7eb;--soft:#9aa2ac;
--line:#2b3038;--accent:#7aa7ff;--bar:#7aa7ff40;--warn:#f0a35e}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1280px;margin:0 auto;padding:16px}
h1{font-size:22px;margin:4px 0 2px;overflow-wrap:anywhere}
h2{font-size:17px;margin:28px 0 8px}
p{margin:4px 0}
a{color:var(--accent);text-decoration:none}
.soft{color:var(--soft)}
code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:8px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(158px,1fr));gap:8px;
margin-top:12px}
.card,.box{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px}
.card b{display:block;font-size:19px;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:13px;display:block}
.scroll{overflow:auto}
.box svg{display:block;height:auto}
.wide svg{width:100%;min-width:900px}
.narrow{display:none}
.narrow svg{width:100%}
.side{display:grid;grid-template-columns:minmax(0,330px) minmax(0,1fr);gap:0 16px}
.side .box.scroll{max-height:82vh}
.side>*{min-width:0}
.graph{max-width:100%;margin:0 auto;font:12px system-ui,sans-serif}
.graph text{fill:var(--ink)}
.graph .sub{fill:var(--soft);font-size:11px}
.graph rect{stroke:var(--line);fill:var(--card)}
.graph .mm{fill:#4b8bf533;stroke:#4b8bf5}.graph .dw{fill:#14a3a333;stroke:#14a3a3}
.graph .pool{fill:#4caf5033;stroke:#4caf50}.graph .elt{fill:#e0a02033;stroke:#e0a020}
.graph .move{fill:#8a909933;stroke:#8a9099}.graph .view{stroke-dasharray:4 3;stroke:#8a9099}
.graph .io{fill:none;stroke:var(--ink)}.graph .st{fill:var(--accent);stroke:none}
.edges path{fill:none;stroke:var(--soft);stroke-width:1.2}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th{position:sticky;top:0;background:var(--card);text-align:left;font-weight:600;
color:var(--soft);z-index:1}
th,td{padding:5px 8px;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
tr:target{outline:2px solid var(--accent);outline-offset:-2px}
.ops small{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden;
color:var(--soft);overflow-wrap:anywhere}
.ops code,.ops td+td+td{white-space:nowrap}.ops td:first-child{min-width:190px}
.ops .tag{display:block;width:max-content;margin-left:auto}
.bar{display:block;height:3px;background:var(--accent);border-radius:2px;margin-left:auto;
margin-top:2px}
.tag{font-size:11px;padding:0 5px;border-radius:6px;background:var(--bar);white-space:nowrap}
.ref{color:var(--warn)}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:3px 14px;margin:0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere;white-space:pre-line}
details{margin-top:10px}
summary{cursor:pointer;color:var(--accent)}
@media(max-width:760px){
main{padding:12px}
.wide{display:none}.narrow{display:block}
.side{display:block}
.side .box.scroll{max-height:70vh}
dl{grid-template-columns:minmax(0,1fr)}dt{margin-top:4px}
.ops thead{display:none}
.ops tr{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));padding:8px 10px;
border-bottom:1px solid var(--line)}
.ops td{border:0;padding:2px 0;text-align:left}
.ops td.n,.ops td+td+td,.ops code{text-align:left;white-space:normal}
.ops .full{grid-column:1/-1}
.ops td[data-l]::before{content:attr(data-l);display:block;color:var(--soft);font-size:11px}
.ops .bar,.ops .tag{margin-left:0}.ops td:first-child{min-width:0}
.ops .none{display:none}
.box.flush{padding:0}
})";

}  // namespace

std::string PageBegin(const std::string& title, const char* more_style) {
  const std::string text = XmlText(title);
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
         "<title>" +
         text + "</title><style>" + kStyle + more_style + "</style></head>\n<body><main>\n<h1>" +
         text + "</h1>\n";
}

std::string PageEnd() { return "</main></body></html>\n"; }

std::string PageCard(const std::string& name, const std::string& value, const std::string& note) {
  return "<div class=\"card\"><span>" + XmlText(name) + "</span><b>" + XmlText(value) +
         "</b><span>" + XmlText(note) + "</span></div>\n";
}

}  // namespace octet::cli
