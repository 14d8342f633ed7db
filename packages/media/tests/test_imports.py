"""What most processes never need is not there until somebody needs it."""

import subprocess
import sys

CODE = """
import sys, django
django.setup()
import marketplace_media.actions, marketplace_media.schemas, marketplace_media.tasks, marketplace_media.documents
print(sorted({"boto3", "botocore", "storages.backends.s3", "PIL", "pypdf"} & set(sys.modules)))
"""


def test_the_heavy_libraries_are_imported_on_first_use() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
