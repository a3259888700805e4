"""Read a study, find the blood, write everything a reader wants to see."""

import sys

import ichdet
from ichdet.nn import open_detector

study = ichdet.read_study(sys.argv[1])
found = open_detector()(study.stack)  # the model that comes with ichdet; open_detector("blast-ct-v1"): another
found.write(study, sys.argv[2])
print(found.result.decision.positive, found.result.volumes_ml)
