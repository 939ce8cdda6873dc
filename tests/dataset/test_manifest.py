import json
import time
from pathlib import Path

import pytest
from conftest import record, rejection

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.dataset import manifest as m
from dfmnist.dataset.provenance import LENGTH, provenance, read_provenance
