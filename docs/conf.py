"""Sphinx: the documentation of relufit. `scripts/docs.sh` builds it.

The source folder is the repository's root, not docs/: README.md, the examples' pages and the figures of bench/results are
pages of the site as they stand, and a link between files of the repository is a link between pages.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

project = "relufit"
author = "the authors of relufit"
release = re.search(r"project\(relufit VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)

root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "examples/**.md", "experiments/**.md", "bench/results/*.md"]
exclude_patterns = ["build", "**/.*"]

extensions = [
    "breathe",
    "docstrings",
    "headers",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
]
highlight_language = "none"  # indented blocks are formulas and command lines
smartquotes_action = "D"  # dashes only: a prime is a transpose
default_role = "code"  # docstrings write names like documents do, in single backticks

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

os.environ["MATPLOTLIBRC"] = str(ROOT / "docs" / "matplotlibrc")  # read by the notebooks' kernels
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_output_stderr = "error"  # no warnings in tutorials
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autoclass_content = "both"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

breathe_projects = {"relufit": str(ROOT / "build" / "docs" / "doxygen" / "xml")}
breathe_default_project = "relufit"
breathe_show_include = False
cpp_index_common_prefix = ["relufit::"]

html_theme = "furo"
html_title = f"relufit {release}"
html_static_path = ["_static"]
html_css_files = ["relufit.css"]
html_additional_pages = {"index": "redirect.html"}
html_copy_source = False
html_show_copyright = False
templates_path = ["_templates"]
