"""llama.cpp's tokenizer, through the library inside the `xllamacpp` wheel.

Only a vocabulary is needed: the library is asked to load nothing else. The parameters are passed as bytes, since
their layout has no header here; `vocab_only` is the first flag after the nine pointer-sized fields (checked below).
"""

import ctypes as c
import glob
import os

import xllamacpp

VOCAB_ONLY = 72
SIZE = 80


class Params(c.Structure):
    _fields_ = [("bytes", c.c_uint8 * SIZE)]


class Refused(Exception):
    """llama.cpp does not load the file."""


def library():
    lib = c.CDLL(glob.glob(os.path.join(os.path.dirname(xllamacpp.__file__), "*.so"))[0])
    lib.llama_model_default_params.restype = Params
    lib.llama_model_load_from_file.restype = c.c_void_p
    lib.llama_model_load_from_file.argtypes = [c.c_char_p, Params]
    lib.llama_model_get_vocab.restype = c.c_void_p
    lib.llama_model_get_vocab.argtypes = [c.c_void_p]
    lib.llama_model_free.argtypes = [c.c_void_p]
    lib.llama_tokenize.argtypes = [c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool]
    lib.llama_detokenize.argtypes = [c.c_void_p, c.POINTER(c.c_int32), c.c_int32, c.c_char_p, c.c_int32, c.c_bool, c.c_bool]
    return lib


LIB = library()
LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)
MESSAGES = []
_log = LOG(lambda level, text, _: MESSAGES.append(text.decode(errors="replace")))
LIB.llama_log_set(_log, None)


class Vocabulary:
    def __init__(self, path):
        MESSAGES.clear()
        params = LIB.llama_model_default_params()
        assert params.bytes[VOCAB_ONLY] == 0
        params.bytes[VOCAB_ONLY] = 1
        self.model = LIB.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise Refused("".join(MESSAGES))
        self.vocab = LIB.llama_model_get_vocab(self.model)

    def encode(self, text, add_special, parse_special):
        data = text.encode()
        room = len(data) + 16
        ids = (c.c_int32 * room)()
        count = LIB.llama_tokenize(self.vocab, data, len(data), ids, room, add_special, parse_special)
        assert count >= 0, "more tokens than bytes"
        return list(ids[:count])

    def decode(self, ids, special=False):
        array = (c.c_int32 * len(ids))(*ids)
        room = 64 * len(ids) + 64
        text = c.create_string_buffer(room)
        count = LIB.llama_detokenize(self.vocab, array, len(ids), text, room, False, special)
        assert count >= 0
        return text.raw[:count]

    def close(self):
        LIB.llama_model_free(self.model)
