//! What can be downloaded, from where, and under which terms.

use clap::ValueEnum;

/// A public data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// MovieLens-1M: 1,000,209 ratings of 3,900 films by 6,040 users, 2000–2003.
    #[value(name = "ml-1m")]
    Ml1m,
    /// MovieLens latest small: 100,836 ratings of 9,742 films by 610 users, 1996–2018.
    MlLatestSmall,
    /// Amazon reviews 2018, Video Games, 5-core, with metadata.
    AmazonVideoGames,
    /// Amazon reviews 2018, Movies & TV, 5-core, with metadata (large).
    AmazonMoviesTv,
}

/// Files to fetch for one data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In order.
    pub files: Vec<RemoteFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Name in the output folder.
    pub name: String,
    /// Tried in order.
    pub addresses: Vec<String>,
    /// How it is checked.
    pub check: Check,
    /// Members that are unpacked from it, when it is a zip archive; their folders are dropped.
    pub unpack: Vec<String>,
}

/// How a file is checked once all its bytes are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Against the MD5 that the publisher keeps at the file's address + `.md5`. Where that is not to be had, `pinned` (the
    /// publisher's value, noted here) is compared.
    Md5Beside {
        /// Hexadecimal.
        pinned: Option<String>,
    },
    /// By decoding it to the end: gzip carries a CRC-32 and the length.
    Gzip,
}

const GROUPLENS: &str = "https://files.grouplens.org/datasets/movielens/";

/// The McAuley lab's servers, the present one first.
const MCAULEY: [&str; 3] = [
    "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/",
    "https://datarepo.eng.ucsd.edu/mcauley_group/data/amazon_v2/",
    "https://jmcauley.ucsd.edu/data/amazon_v2/",
];

impl Source {
    /// The name that the command takes, also the default name of the output folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ml1m => "ml-1m",
            Self::MlLatestSmall => "ml-latest-small",
            Self::AmazonVideoGames => "amazon-video-games",
            Self::AmazonMoviesTv => "amazon-movies-tv",
        }
    }

    /// What to fetch.
    pub fn plan(self) -> Plan {
        let files = match self {
            Self::Ml1m => vec![grouplens(
                "ml-1m.zip",
                Some("c4d9eecfca2ab87c1945afe126590906"),
                &["README", "movies.dat", "ratings.dat", "users.dat"],
            )],
            Self::MlLatestSmall => vec![grouplens(
                "ml-latest-small.zip",
                None,
                &[
                    "README.txt",
                    "links.csv",
                    "movies.csv",
                    "ratings.csv",
                    "tags.csv",
                ],
            )],
            Self::AmazonVideoGames => amazon("Video_Games"),
            Self::AmazonMoviesTv => amazon("Movies_and_TV"),
        };
        Plan { files }
    }

    /// The publisher's terms, shown before anything is fetched.
    pub fn terms(self) -> &'static str {
        match self {
            Self::Ml1m => MOVIELENS_1M_TERMS,
            Self::MlLatestSmall => MOVIELENS_LATEST_TERMS,
            Self::AmazonVideoGames | Self::AmazonMoviesTv => AMAZON_TERMS,
        }
    }
}

fn grouplens(archive: &str, pinned: Option<&str>, members: &[&str]) -> RemoteFile {
    RemoteFile {
        name: archive.to_owned(),
        addresses: vec![format!("{GROUPLENS}{archive}")],
        check: Check::Md5Beside {
            pinned: pinned.map(str::to_owned),
        },
        unpack: members.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn amazon(category: &str) -> Vec<RemoteFile> {
    let file = |folder: &str, name: String| RemoteFile {
        addresses: MCAULEY
            .map(|server| format!("{server}{folder}/{name}"))
            .to_vec(),
        name,
        check: Check::Gzip,
        unpack: Vec::new(),
    };
    vec![
        file("metaFiles2", format!("meta_{category}.json.gz")),
        file("categoryFilesSmall", format!("{category}_5.json.gz")),
    ]
}

const MOVIELENS_1M_TERMS: &str = "\
MovieLens 1M, GroupLens Research, University of Minnesota. From its README:

  Neither the University of Minnesota nor any of the researchers involved can guarantee the correctness of the data, its
  suitability for any particular purpose, or the validity of results based on the use of the data set. The data set may
  be used for any research purposes under the following conditions:
  * The user may not state or imply any endorsement from the University of Minnesota or the GroupLens Research Group.
  * The user must acknowledge the use of the data set in publications resulting from the use of the data set.
  * The user may not redistribute the data without separate permission.
  * The user may not use this information for any commercial or revenue-bearing purposes without first obtaining
    permission from a faculty member of the GroupLens Research Project at the University of Minnesota.

  To acknowledge it, cite: F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context.
  ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. https://doi.org/10.1145/2827872
";

const MOVIELENS_LATEST_TERMS: &str = "\
MovieLens latest small, GroupLens Research, University of Minnesota. From its README:

  Neither the University of Minnesota nor any of the researchers involved can guarantee the correctness of the data, its
  suitability for any particular purpose, or the validity of results based on the use of the data set. The data set may
  be used for any research purposes under the following conditions:
  * The user may not state or imply any endorsement from the University of Minnesota or the GroupLens Research Group.
  * The user must acknowledge the use of the data set in publications resulting from the use of the data set.
  * The user may redistribute the data set, including transformations, so long as it is distributed under these same
    license conditions.
  * The user may not use this information for any commercial or revenue-bearing purposes without first obtaining
    permission from a faculty member of the GroupLens Research Project at the University of Minnesota.
  * The executable software scripts are provided \"as is\" without warranty of any kind.

  To acknowledge it, cite: F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context.
  ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. https://doi.org/10.1145/2827872
";

const AMAZON_TERMS: &str = "\
Amazon review data (2018), McAuley lab, University of California San Diego.

  The publishers assign no licence: the reviews belong to their authors and to Amazon. The data are offered for research
  purposes. Do not redistribute them; see https://nijianmo.github.io/amazon/ for the publisher's own words.

  To acknowledge it, cite: Jianmo Ni, Jiacheng Li, Julian McAuley. 2019. Justifying Recommendations using
  Distantly-Labeled Reviews and Fine-Grained Aspects. EMNLP-IJCNLP 2019.
";
