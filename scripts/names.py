"""Refuses the name of a file that is not there, in a document or in a comment of the code."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
IN_DOCUMENTS = re.compile(r"`(?:\.\./)*([\w/.-]+\.(?:cpp|h|py|sh))`")
IN_COMMENTS = re.compile(r"(?://|#) .*?([\w/.-]+\.(?:cpp|h)\b)")
MADE = {"diabetes.h", "credit.h", "upper.h", "check.h", "net.h"}  # by commands that are shown


def main() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [f"/{name}" for name in listed.split()]
    faults = []
    for name in files:
        pattern = {".md": IN_DOCUMENTS, ".cpp": IN_COMMENTS, ".h": IN_COMMENTS}.get(Path(name).suffix)
        if pattern is None or name == "/CHANGELOG.md":
            continue
        for number, line in enumerate((ROOT / name[1:]).read_text(encoding="utf-8").splitlines(), 1):
            for named in pattern.findall(line):
                if named not in MADE and not any(file.endswith(f"/{named}") for file in files):
                    faults.append(f"{name[1:]}:{number}: no file {named}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
