import io
import pickle

import numpy as np
import pytest

from skcifar.datasets import _unpickler
from skcifar.datasets._unpickler import load_arrays

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
ARRAYS = {
    "bytes": np.arange(256, dtype=np.uint8),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    "big endian": np.arange(5, dtype=">i4"),
    "strided": np.arange(20)[::3],
    "floats": np.linspace(0, 1, 5),
    "bools": np.array([True, False]),
    "one": np.array(7),
}


def load(content):
    (value,) = load_arrays(io.BytesIO(content), ["value"])
    return value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_numbers_come_back(name, protocol):
    expected = ARRAYS[name]
    found = load(pickle.dumps({"value": expected}, protocol=protocol))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_lists_come_back_as_arrays(protocol):
    values = [3, np.int64(4), np.uint8(5)]
    found = load(pickle.dumps({"value": values, "other": b"bytes"}, protocol=protocol))
    assert found.tolist() == [3, 4, 5]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", [np.array([None]), np.array(["text"]), np.zeros(1, "i4,f4")])
def test_arrays_of_other_things_are_refused(array, protocol):
    with pytest.raises(pickle.UnpicklingError, match="not of numbers"):
        load(pickle.dumps({"value": array}, protocol=protocol))


@pytest.mark.parametrize(
    "name",
    [
        "os\nsystem",
        "os\nencode",
        "numpy\nload",
        "numpy.core.multiarray\nfromfile",
        "_codecs\ndecode",
    ],
)
def test_only_the_names_of_arrays_are_known(name):
    with pytest.raises(pickle.UnpicklingError, match="which is not an array"):
        load(f"c{name}\n.".encode())


def test_dtype_that_lies_about_its_objects_is_refused():
    """NumPy's own `dtype` takes this for 8 bytes without objects, and then follows them."""
    attack = b"\x80\x02}U\x05valuecnumpy\ndtype\nU\x02V8\x85Rs."
    with pytest.raises(pickle.UnpicklingError, match="'V8', not of numbers"):
        load(attack)


def test_what_a_pickle_is_handed_cannot_be_changed_for_the_next():
    attack = b"\x80\x02}U\x05valuecnumpy.core.multiarray\n_frombuffer\nN}U\x05valueK\x01s\x86bs."
    load(attack)
    assert not hasattr(_unpickler._from_bytes, "value")
