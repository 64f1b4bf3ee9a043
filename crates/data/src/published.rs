//! The addresses, files and checksums published by the authors of CIFAR, MNIST and Fashion-MNIST.

use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;
use crate::files::open_regular;

/// A data set as published by its authors: an archive with one folder of files, or separate files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: &'static str,
    /// The address of the archive, or of the files if there is no archive.
    pub url: &'static str,
    /// The MD5 checksum of the archive, in hexadecimal; `None` if there is no archive.
    pub archive_md5: Option<&'static str>,
    /// The folder in the archive, or the one to put the files into.
    pub folder: &'static str,
    /// The files in that folder that hold the images.
    pub files: &'static [PublishedFile],
}

/// A file of a [`Published`] data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its name within the folder.
    pub name: &'static str,
    /// Its length in bytes.
    pub len: u64,
    /// Its SHA-256 checksum, in hexadecimal.
    pub sha256: &'static str,
}

/// CIFAR-10, binary version (Krizhevsky, 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>).
pub const CIFAR10: Published = Published {
    name: "CIFAR-10",
    url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    archive_md5: Some("c32a1d4ab5d03f1284b67883e8d87530"),
    folder: "cifar-10-batches-bin",
    files: &[
        cifar10_file("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        cifar10_file("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        cifar10_file("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        cifar10_file("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        cifar10_file("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        cifar10_file("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    ],
};

/// CIFAR-100, binary version (Krizhevsky, 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>).
pub const CIFAR100: Published = Published {
    name: "CIFAR-100",
    url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    archive_md5: Some("03b5dce01913d631647c71ecec9e9cb8"),
    folder: "cifar-100-binary",
    files: &[
        PublishedFile {
            name: "train.bin",
            len: 50_000 * 3_074,
            sha256: "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
        },
        PublishedFile {
            name: "test.bin",
            len: 10_000 * 3_074,
            sha256: "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
        },
    ],
};

/// MNIST (LeCun, Cortes and Burges, 1998), from torchvision's mirror, because the authors' site no longer
/// serves it.
pub const MNIST: Published = Published {
    name: "MNIST",
    url: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    archive_md5: None,
    folder: "mnist",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            len: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            len: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            len: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            len: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ],
};

/// Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, <https://github.com/zalandoresearch/fashion-mnist>).
pub const FASHION_MNIST: Published = Published {
    name: "Fashion-MNIST",
    url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    archive_md5: None,
    folder: "fashion-mnist",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            len: 26_421_880,
            sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            len: 29_515,
            sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            len: 4_422_102,
            sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            len: 5_148,
            sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ],
};

const fn cifar10_file(name: &'static str, sha256: &'static str) -> PublishedFile {
    PublishedFile { name, len: 10_000 * 3_073, sha256 }
}

impl Published {
    /// Checks that `dir` holds every file exactly as published.
    ///
    /// # Errors
    /// Names the first file that cannot be read or has a different checksum.
    pub fn verify(&self, dir: &Path) -> Result<(), Error> {
        self.files.iter().try_for_each(|file| file.verify(&dir.join(file.name)))
    }
}

impl PublishedFile {
    /// Checks that the file at `path` is exactly this one.
    ///
    /// # Errors
    /// When it cannot be read or has a different checksum.
    pub fn verify(&self, path: &Path) -> Result<(), Error> {
        let found = sha256(open_regular(path)?).map_err(Error::io(path))?;
        if found != self.sha256 {
            return Err(Error::Checksum { path: path.to_path_buf(), expected: self.sha256, found });
        }
        Ok(())
    }
}

fn sha256(mut file: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hasher.update(&buffer[..n]),
        }
    }
}
