import subprocess
import sys

PROBE = "import sys, artdet.embedders.base; print({'torch', 'torchvision', 'timm', 'cv2', 'PIL'} & set(sys.modules))"


def test_the_contract_loads_no_library_of_machine_learning():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
