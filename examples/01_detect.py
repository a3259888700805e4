"""Read a study, find the blood, write everything a reader wants to see."""

import sys

import ichdet
from ichdet.nn import Detector

study = ichdet.read_study(sys.argv[1])
found = Detector([sys.argv[2]])(study.stack)
found.write(study, sys.argv[3])
print(found.result["decision"], found.result["volumes_ml"])
