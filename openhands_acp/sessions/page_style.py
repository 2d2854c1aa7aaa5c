"""How a page looks, and what a browser may do with it: light or dark as the reader's system is, and on paper."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1f2328; --dim: #59636e; --line: #d1d9e0; --block: #f6f8fa;
  --head: #eef1f4; --new: #dafbe1; --old: #ffebe9; --good: #116329; --bad: #b8202b; --asked: #ddf4ff; --mark: #0969da; }
@media screen and (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --dim: #9ba4ae;
  --line: #30363d; --block: #151b23; --head: #1d242d; --new: #12351f; --old: #45191d; --good: #3fb950; --bad: #ff7b72;
  --asked: #12263f; --mark: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 56rem; background: var(--back); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1.2rem; margin-bottom: 1.6rem; }
h1 { font-size: 1.55rem; line-height: 1.3; margin: 0 0 .9rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 1.8rem; margin: 0; font-size: .875rem; }
dt { color: var(--dim); font-size: .75rem; }
dd { margin: 0; }
a { color: var(--mark); }
.dim, .note, small { color: var(--dim); }
.note { font-size: .875rem; margin: .8rem 0 0; padding-left: .7rem; border-left: 3px solid var(--line); }
section { margin: 1rem 0; }
/* Laid out when it comes into view: of a thousand turns, all at once would take a browser half a minute. */
@media screen { article { content-visibility: auto; contain-intrinsic-size: auto 60rem; } }
article { margin-top: 2.6rem; } main > article:first-child { margin-top: 0; }
h2 { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline; margin: 0 0 .7rem; color: var(--dim);
  font-size: .8125rem; font-weight: 400; scroll-margin-top: 1rem; }
h2 a { min-width: 1.9rem; padding: .05rem .45rem; border-radius: 1rem; background: var(--head); color: var(--text);
  font-weight: 600; text-align: center; text-decoration: none; }
h2 a:hover, article:target h2 a { background: var(--mark); color: var(--back); }
footer { margin: 1rem 0 0; color: var(--dim); font-size: .8125rem; }
nav { margin-top: 1rem; font-size: .875rem; }
nav ol { margin: .5rem 0 0; padding-left: 2.2rem; } nav li { margin: .15rem 0; } nav a { text-decoration: none; }
nav li::marker { color: var(--dim); }
section div, .said p, li, th, td, h1, dd { unicode-bidi: plaintext; } pre, .diff td { unicode-bidi: normal; }
pre, code, table.diff { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  tab-size: 4; }
pre { margin: 0; white-space: pre-wrap; }
.asked { padding: .8rem 1rem; border-radius: 8px; background: var(--asked);
  border-left: 4px solid var(--mark); white-space: pre-wrap; }
img { display: block; max-width: 100%; border-radius: 4px; }
.asked img { margin: .6rem 0; } .call > img { margin: .8rem; max-width: calc(100% - 1.6rem); max-height: 40rem; }
.asked * + div, .asked * + details { margin-top: .6rem; }
.asked details > pre { margin-top: .4rem; padding: .6rem .8rem; border-radius: 4px; background: var(--back); }
.thought { color: var(--dim); font-size: .9375rem; font-style: italic; border-left: 3px solid var(--line);
  padding-left: .9rem; white-space: pre-wrap; }
.call > .said, .call > details > .said { padding: .6rem .8rem; font-size: .875rem; }
.said > :first-child { margin-top: 0; } .said > :last-child { margin-bottom: 0; }
.said h1, .said h2, .said h3, .said h4, .said h5, .said h6 { display: block; margin: 1.3rem 0 .5rem;
  color: inherit; font-size: 1.1rem; font-weight: 600; }
.said code { background: var(--head); padding: .12em .35em; border-radius: 4px; }
.said pre { background: var(--block); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem;
  margin: .8rem 0; }
.said pre code { background: none; padding: 0; }
.said table { display: block; overflow-x: auto; border-collapse: collapse; margin: .8rem 0; }
.said th, .said td { border: 1px solid var(--line); padding: .3rem .7rem; text-align: left; overflow-wrap: break-word; }
.said th { background: var(--block); }
.said blockquote { margin: .8rem 0; padding-left: .9rem; border-left: 3px solid var(--line); color: var(--dim); }
.said hr { border: 0; border-top: 1px solid var(--line); margin: 1.2rem 0; }
.call { border: 1px solid var(--line); border-radius: 6px; overflow: hidden; background: var(--block); }
.call > p { display: flex; gap: .6rem; align-items: baseline; margin: 0; padding: .4rem .8rem; background: var(--head);
  font-size: .9375rem; font-weight: 600; }
.call > p > b { color: var(--dim); }
.call > p > code, .call > p > span { flex: 1; min-width: 0; }
.call > p > code { font-weight: 600; }
.call > p > small { flex: none; max-width: 45%; font-size: .8125rem; font-weight: 400; }
.call.completed > p > b, li.completed b { color: var(--good); }
.call.failed > p > b, .error { color: var(--bad); }
.call.failed { border-color: var(--bad); }
.call > pre, .call > details > pre { padding: .6rem .8rem; }
.call > * + * { border-top: 1px solid var(--line); }
.line { font-weight: 600; }
.call > .inner, .call > details > .inner { padding: .2rem .9rem .9rem; background: var(--back);
  border-top: 1px solid var(--line); font-size: .9375rem; }
.summed { color: var(--dim); } .summed .said { margin-top: .5rem; padding-left: .9rem;
  border-left: 3px solid var(--line); font-size: .9375rem; }
.path { padding: .4rem .8rem; color: var(--dim); font-size: .8125rem; }
ins, del { text-decoration: none; } ins { color: var(--good); } del { color: var(--bad); }
summary { cursor: pointer; color: var(--dim); font-size: .8125rem; }
.call summary { padding: .4rem .8rem; }
.call details[open] > pre { border-top: 1px solid var(--line); }
.thought summary, .asked summary { font-style: normal; margin-top: .4rem; }
.scroll { overflow-x: auto; }
table.diff { border-collapse: collapse; width: 100%; }
table.diff td { padding: 0 .8rem 0 0; white-space: pre-wrap; vertical-align: top; }
table.diff td:nth-child(-n+2) { color: var(--dim); width: 1%; white-space: nowrap; text-align: right;
  user-select: none; }
table.diff td:first-child { padding: 0 .6rem 0 .8rem; }
table.diff td:nth-child(2) { min-width: 1.4rem; padding-right: .5rem; }
tr.new { background: var(--new); } tr.old { background: var(--old); }
tr.new td:nth-child(2) { color: var(--good); } tr.old td:nth-child(2) { color: var(--bad); }
tr.gap { background: var(--head); color: var(--dim); }
ul.plan { list-style: none; margin: 0; padding: .5rem .9rem; border: 1px dashed var(--line); border-radius: 6px;
  font-size: .9375rem; }
.plan b { display: inline-block; width: 1.4rem; color: var(--dim); }
.plan .completed, .plan .pending { color: var(--dim); } .plan .in_progress b { color: var(--mark); }
@media (max-width: 36rem) { body { padding: 1.25rem .8rem 3rem; font-size: 15px; }
  .call > p { flex-wrap: wrap; } .call > p > code, .call > p > span { flex-basis: 75%; } }
@page { margin: 1.5cm; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } pre, code, table.diff { font-size: 8.5pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav { display: none; }
  .call > p, h1, h2, h3 { break-after: avoid; } .asked, tr, li { break-inside: avoid; } .call { overflow: visible; }
  a { color: inherit; } }
"""
