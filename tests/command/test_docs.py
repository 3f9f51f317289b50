#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables (settings, verdicts) against the man pages, --help and the completion."""
import json
import os
import re
import shutil
import subprocess
import sys

top = os.path.abspath(os.environ.get("srcdir", "."))
shunt = os.environ.get("SHUNT", os.path.join(os.getcwd(), "tools", "shunt"))
if not os.access(shunt, os.X_OK):
    print("no command at", shunt)
    sys.exit(77)
failures = 0
checks = 0


def check(ok, text):
    global failures, checks
    checks += 1
    if not ok:
        failures += 1
        print("FAILED:", text)


def read(name):
    with open(os.path.join(top, name), encoding="utf-8") as f:
        return f.read()


def plain(page):
    """A man page as words: no requests, no fonts, hyphens as typed."""
    page = re.sub(r"^\.\\\".*$", "", page, flags=re.M)
    page = re.sub(r"^\.(SH|SS|TH|TP|IP|RS|RE|PP|nf|fi|br)\b.*$", "", page, flags=re.M)
    page = re.sub(r"^\.[A-Z]+ ", "", page, flags=re.M)
    page = page.replace('"', "")
    page = re.sub(r"\\f[BIRP]", "", page).replace(r"\-", "-").replace("\\&", "")
    return re.sub(r"\s+", " ", page)


def help_of(*words):
    return subprocess.run([shunt, *words, "--help"], stdout=subprocess.PIPE, check=True,
                          text=True).stdout


# The settings as the table has them, by way of the command that is built from it.
settings = {}
for match in re.finditer(r"^  (\w+) +(\S.*)\n {12}(.*)$", help_of("run").split("settings, written")[1], re.M):
    key, _, rest = match.groups()
    default = re.search(r"\(default: ([^)]*)\)", rest)
    later = re.search(r"not in this version: (.*)", rest)
    settings[key] = {
        "words": re.split(r" \(|;", rest)[0],
        "default": default.group(1) if default else None,
        "later": later.group(1).split(", ") if later else [],
    }
source = read("src/config.c")
in_source = re.findall(r"\[KEY_\w+\] = \{\s*\"(\w+)\"", source)
check(sorted(settings) == sorted(in_source) and len(in_source) > 10, "--help lists every setting")

page = read("doc/shunt.conf.5")
section = page.split(".SH SETTINGS")[1].split("\n.SH ")[0]
depth, documented = 0, {}
for request in re.split(r"\n(?=\.(?:TP|RS|RE)\b)", section):
    depth += request.startswith(".RS") - request.startswith(".RE")
    if request.startswith(".TP") and depth == 0:
        heading = request.split("\n")[1]
        for key in re.split(r'", "|, ', heading.split(": ")[0].split(" ", 1)[1].replace('" "', '", "')):
            key = key.strip('" :').replace('"', "").split(":")[0].strip()
            documented[key] = plain(request)
    elif documented:
        documented[key] += plain(request)
for key, row in settings.items():
    check(key in documented, f"shunt.conf(5) has the setting {key}")
    text = documented.get(key, "")
    for word in re.split(r", ", row["words"]):
        if re.fullmatch(r"[a-z]+", word):
            check(re.search(rf"\b{word}\b", text), f"shunt.conf(5): {key} has the word {word}")
    for word in row["later"]:
        check("ot in this version" in text or f"{word} is not in this version" in text,
              f"shunt.conf(5): {key}:{word} is not in this version")
    if not row["later"]:
        check("ot in this version" not in text, f"shunt.conf(5): {key} says all words work")
    if row["default"] and "+" not in row["default"]:
        check(f"(default: {row['default']})" in text, f"shunt.conf(5): {key}: default {row['default']}")
for key in documented:
    check(key in settings, f"the table has the setting {key} of shunt.conf(5)")

# verdicts: the word as a heading, the table's text below it, in the table's order
verdicts = re.findall(r'V\(\w+, "([^"]+)",\s*"([^"]+)"\)', read("src/verdict.h"))
check(len(verdicts) > 10, "verdict.h was understood")
page = read("doc/libshunt.7")
tags = re.findall(r"^\.TP\n\.B (.+)\n((?:[^.].*\n)+)", page.split("from version to version:")[1].split("\n.SH ")[0] + "\n",
                  re.M)
tags = [(word.replace(r"\-", "-"), plain(text)) for word, text in tags]
check([word for word, _ in tags] == [word for word, _ in verdicts],
      "libshunt(7) has every verdict of verdict.h and no other: "
      f"{set(w for w, _ in verdicts) ^ set(w for w, _ in tags)}")
for word, text in verdicts:
    there = dict(tags).get(word, "")
    check(there.strip().startswith(text + "."), f"libshunt(7): {word}: {text}")

# the schema has the kinds and engines of the counters
schema = json.loads(read("doc/shunt-report.schema.json"))
kinds = re.findall(r'K\(\w+, "([^"]+)"\)', read("src/stats.h"))
check(schema["$defs"]["kind"]["enum"] == kinds, f"the schema has the kinds {kinds}")
engines = re.findall(r'\[STATS_ENGINE_\w+\] = "([^"]+)"', read("src/stats_words.c"))
check(schema["$defs"]["route"]["properties"]["engine"]["enum"] == engines + ["unknown"],
      f"the schema has the engines {engines}")
totals = schema["properties"]["totals"]["properties"]
for name in re.findall(r"F\((\w+), uint64_t\)", read("src/stats.h").split("STATS_TOTAL_COUNTERS(F)")[1]
                       .split("struct stats_frame")[0]):
    check(name in totals, f"the schema has the total {name}")
for kind in kinds:
    check(re.search(rf"\b{kind}\b", plain(page)), f"libshunt(7) has the kind {kind}")

# options: what --help lists, shunt(1) has, and the other way round
manual = read("doc/shunt.1")
for command in ("run", "report", "check"):
    part = plain(manual.split(f'.SH "SHUNT {command.upper()}"')[1].split("\n.SH ")[0])
    text = help_of(command).split("settings, written")[0]
    listed = set(re.findall(r"^ .*?(--[a-z]+)", text, re.M)) - {"--help"}
    check(listed == set(re.findall(r"--[a-z]+", part)) - {"--help"},
          f"shunt(1) and --help have the same options of {command}: {listed}")
    for short in re.findall(r"^  (-[a-z]),", text, re.M):
        check(re.search(rf"(?<![\w-]){short}\b", part), f"shunt(1): {command} {short}")
commands = re.findall(r"^  (\w+) ", help_of(), re.M)
check(commands == ["run", "report", "check"], f"--help lists {commands}")
completion = read("tools/completion/shunt")
for command in commands:
    check(command in completion, f"the completion has {command}")
if shutil.which("bash"):
    for typed, wanted in (("mo", "mode:observe"), ("mode:rewrite,eng", "mode:rewrite,engines:splice"),
                          ("le", "learn:"), ("confirm:t", "confirm:true")):
        script = f'. "{top}/tools/completion/shunt"; COMP_WORDS=("{shunt}"); _shunt_settings "{typed}"'
        out = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True).stdout.split()
        check(wanted in out, f"the completion of '{typed}' offers {wanted}: {out}")
    # as bash calls it: its own words end at colons, and what is offered takes the place of the last
    for line, offered in (("run --conf mode:o", "observe off"), ("run --conf learn:5,confirm:t", "true"),
                          ("run -f j", "json"), ("run tail -f j", ""), ("run -o x -- ls --fo", ""),
                          ("report -f h", "html"), ("che", "check"), ("run --conf mod", "mode:")):
        words = re.findall(r":|[^: ]+", "shunt " + line)
        script = (f'. "{top}/tools/completion/shunt"; COMP_WORDS=({" ".join(words)}); COMP_WORDS[0]="{shunt}"\n'
                  f'COMP_CWORD={len(words) - 1} COMP_LINE="{shunt} {line}" COMP_POINT=${{#COMP_LINE}}\n'
                  '_shunt; echo "${COMPREPLY[@]}" | sed "s/mode:[a-z]*/mode:/g"')
        out = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, cwd=top + "/doc").stdout
        check(sorted(set(out.split())) == offered.split(), f"the completion of '{line}': {out}")

# the pages themselves
if shutil.which("groff"):
    for name in ("shunt.1", "libshunt.7", "shunt.conf.5"):
        out = subprocess.run(["groff", "-man", "-Tutf8", "-ww", os.path.join(top, "doc", name)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        check(out.returncode == 0 and out.stderr == "", f"groff: {name}: {out.stderr}")

print(f"{checks - failures} passed, {failures} failed")
sys.exit(1 if failures else 0)
