import subprocess
import sys

import pytest

from landmarks.config import load_config
from landmarks.config.names import module_names
from landmarks.config.train import _LOSSES
from landmarks.errors import UserError


@pytest.mark.parametrize("loss", module_names(_LOSSES))
def test_every_loss_is_accepted_for_all_models_and_for_one(loss):
    config = load_config(None, [f"train.loss={loss}", f"models.a.recipe={{loss: {loss}}}", "models.b={}"])
    assert config.train.loss == config.train_of("a").loss == config.train_of("b").loss == loss


def test_an_unknown_loss_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"train.loss: unknown loss 'arcfase'; did you mean arcface\? \(one of arcface, cosface"):
        load_config(None, ["train.loss=arcfase"])
    with pytest.raises(UserError, match=r"models.a.recipe: loss: unknown loss 'cosfaces'; did you mean cosface\?"):
        load_config(None, ["models.a.recipe={loss: cosfaces}"])


def test_the_configuration_imports_no_torch():
    code = "import sys, landmarks.config; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
