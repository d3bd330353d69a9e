"""Writes the outline of the Snakemake workflow below FOLDER, beginning at ENTRY, as JSON to its standard output."""

import json
import sys
from pathlib import Path

from strongroom_outline.files import outline

folder, entry = sys.argv[1:]
print(json.dumps(outline(Path(folder), entry)))
