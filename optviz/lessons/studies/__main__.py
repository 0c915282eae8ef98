"""``python -m optviz.lessons.studies 09.lenet300100`` measures studies anew; without ids, all."""

from __future__ import annotations

import sys

from optviz.lessons.studies import study, study_ids

if __name__ == "__main__":
    for id in sys.argv[1:] or study_ids():
        print(f"{id}: measuring, which may take minutes", flush=True)
        done = study(id).measure()
        print(f"{done}\n{done.table.to_string(max_rows=60)}", flush=True)
