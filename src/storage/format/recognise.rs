//! Recognises an unexpected file's format by its first bytes.

/// A recognised file format, as part of a sentence ("it is …"), and the way from it to a safetensors file or a `.npy`, if
/// known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognised {
    pub what: &'static str,
    pub way_out: &'static str,
}

/// The two lines of Python that write a `state_dict` as safetensors, also one with tied or transposed tensors.
const PYTORCH: &str = "in Python, `import torch, safetensors.torch` and then `safetensors.torch.save_file({name: \
     tensor.clone().contiguous() for name, tensor in torch.load(\"FILE\", map_location=\"cpu\", weights_only=True).items()}, \
     \"w.safetensors\")` make one (of a checkpoint that holds more, take its state_dict)";

/// Recognises the common format that begins with these bytes; `None` if it is unknown.
pub fn recognise(bytes: &[u8]) -> Option<Recognised> {
    let of = |what, way_out| Some(Recognised { what, way_out });
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |start: &[u8]| bytes.starts_with(start);
    let tags = |start: &str| text.get(..start.len()).is_some_and(|there| there.eq_ignore_ascii_case(start.as_bytes()));
    if bytes.is_empty() {
        return of("an empty file", "write or download it anew");
    }
    if tags("version https://git-lfs") {
        return of("a pointer of Git LFS and not the file itself", "git lfs pull fetches it");
    }
    if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
        // The name of the first entry lies behind 30 bytes; torch.save writes NAME/data.pkl first, numpy an array.
        let start = &bytes[..bytes.len().min(256)];
        let has = |part: &[u8]| start.windows(part.len()).any(|window| window == part);
        return if has(b"data.pkl") || has(b"/version") || has(b"/byteorder") {
            of("a file of torch.save", PYTORCH)
        } else if has(b".npy") {
            of("an archive of NumPy (.npz)", "safetensors.numpy.save_file writes its arrays as safetensors")
        } else {
            of("a zip archive", "unpack it first")
        };
    }
    if begins(b"\x93NUMPY") {
        return of("an array of NumPy (.npy)", "safetensors.numpy.save_file writes arrays as safetensors");
    }
    if begins(b"\x80\x02") || begins(b"\x80\x03") || begins(b"\x80\x04") || begins(b"\x80\x05") {
        return of("a pickle of Python, as torch.save once wrote", PYTORCH);
    }
    if tags("<!doctype") || tags("<html") || tags("<?xml") || tags("<head") {
        return of("a web page and not the file itself", "download the file that it leads to");
    }
    const MAGIC: [(&[u8], &str, &str); 9] = [
        (b"\x89HDF\r\n", "an HDF5 file (Keras, h5py)", "h5py and safetensors.numpy.save_file make one"),
        (b"\x1f\x8b", "a file compressed with gzip", "gunzip unpacks it"),
        (b"\xfd7zXZ", "a file compressed with xz", "unxz unpacks it"),
        (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", "unzstd unpacks it"),
        (b"BZh", "a file compressed with bzip2", "bunzip2 unpacks it"),
        (b"GGUF", "a GGUF file, whose weights are quantised", "take the weights that it was made from"),
        (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
        (b"\x89PNG", "a picture", "give the file of numbers"),
        (b"MATLAB 5", "a file of MATLAB", "scipy.io.loadmat and safetensors.numpy.save_file make one"),
    ];
    if let Some(&(_, what, way_out)) = MAGIC.iter().find(|(magic, ..)| begins(magic)) {
        return of(what, way_out);
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return of("a tar archive", "unpack it first");
    }
    if text.starts_with(b"{") || text.starts_with(b"[") {
        return of("JSON text", "give the file of numbers");
    }
    let start = &bytes[..bytes.len().min(512)];
    let is_text = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    if start.iter().all(is_text) {
        return of("a text", "numpy.save writes numbers as .npy, safetensors.numpy.save_file as safetensors");
    }
    None
}
