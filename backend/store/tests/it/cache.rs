//! Copies of a remote store's files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eagleeye_store::{CacheConfig, Check, Damage, FileHash, Files, LocalFile, StoreError};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

struct Remote {
    objects: Arc<InMemory>,
    files: Files,
    folder: TempDir,
}

impl Remote {
    fn with_room_for(bytes: u64) -> Self {
        let (objects, folder) = (Arc::new(InMemory::new()), tempfile::tempdir().unwrap());
        let files = open(objects.clone(), folder.path(), bytes);
        Self { objects, files, folder }
    }

    /// What another process has that shares the cache.
    fn other_process(&self, bytes: u64) -> Files {
        open(self.objects.clone(), self.folder.path(), bytes)
    }

    async fn put(&self, content: &str) -> FileHash {
        let hash = FileHash::from(blake3::hash(content.as_bytes()));
        self.put_at(&hash, content).await;
        hash
    }

    async fn put_at(&self, hash: &FileHash, content: &str) {
        self.objects.put(&key(hash), content.to_owned().into()).await.unwrap();
    }

    async fn get(&self, hash: &FileHash) -> LocalFile {
        self.files.materialize(hash, Check::Once).await.unwrap()
    }

    fn has_copy(&self, hash: &FileHash) -> bool {
        let (folder, name) = hash.as_str().split_at(2);
        self.folder.path().join("cache").join(folder).join(name).exists()
    }
}

fn open(objects: Arc<InMemory>, folder: &Path, bytes: u64) -> Files {
    Files::remote(objects, "eagleeye".into(), CacheConfig { folder: folder.join("cache"), bytes }).unwrap()
}

fn key(hash: &FileHash) -> Key {
    let (folder, name) = hash.as_str().split_at(2);
    format!("eagleeye/{folder}/{name}").into()
}

fn is_damaged(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { damage: Damage::Altered { .. }, .. })
}

#[tokio::test]
async fn a_remote_file_is_fetched_once_and_verified() {
    let remote = Remote::with_room_for(1 << 20);
    let hash = FileHash::from(blake3::hash(b"weights"));
    remote.put_at(&hash, "tampered").await;
    for check in [Check::Once, Check::Anew] {
        let error = remote.files.materialize(&hash, check).await.unwrap_err();
        assert!(is_damaged(&error), "{error}");
    }
    assert!(!remote.has_copy(&hash));

    remote.put_at(&hash, "weights").await;
    let file = remote.get(&hash).await;
    remote.objects.delete(&key(&hash)).await.unwrap();
    assert_eq!(remote.get(&hash).await.path(), file.path());
    assert_eq!(std::fs::read(file.path()).unwrap(), b"weights");
    assert_eq!(crate::support::content(&remote.files, &hash).await, b"weights");
    let left = std::fs::read_dir(remote.folder.path().join("cache/tmp")).unwrap().count();
    assert_eq!(left, 0, "nothing is left of what was fetched");
}

#[tokio::test]
async fn a_damaged_copy_is_fetched_again() {
    let remote = Remote::with_room_for(1 << 20);
    let hash = remote.put("weights").await;
    for check in [Check::Once, Check::Anew] {
        let path = remote.get(&hash).await.path().to_owned();
        std::fs::write(&path, "wEights").unwrap();
        let file = remote.files.materialize(&hash, check).await.unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"weights");
    }
    let path = remote.get(&hash).await.path().to_owned();
    std::fs::write(&path, "wEights").unwrap();
    remote.put_at(&hash, "tampered").await;
    let error = remote.files.materialize(&hash, Check::Once).await.unwrap_err();
    assert!(is_damaged(&error), "{error}");
}

#[tokio::test]
async fn what_was_not_used_for_the_longest_time_makes_room() {
    let remote = Remote::with_room_for(25);
    let (first, second, third) =
        (remote.put("first file").await, remote.put("other file").await, remote.put("third file").await);
    remote.get(&first).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    remote.get(&second).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    remote.get(&first).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    remote.get(&third).await;
    assert_eq!([&first, &second, &third].map(|hash| remote.has_copy(hash)), [true, false, true]);
}

#[tokio::test]
async fn what_somebody_uses_stays_whatever_room_is_wanted() {
    let remote = Remote::with_room_for(10);
    let (used, next, last) =
        (remote.put("used file!").await, remote.put("next file!").await, remote.put("last file!").await);
    let held = remote.get(&used).await;
    let other = remote.other_process(10);
    other.materialize(&next, Check::Once).await.unwrap();
    other.materialize(&last, Check::Once).await.unwrap();
    assert_eq!([&used, &next, &last].map(|hash| remote.has_copy(hash)), [true, false, true]);
    assert_eq!(std::fs::read(held.path()).unwrap(), b"used file!");

    drop(held);
    other.materialize(&next, Check::Once).await.unwrap();
    assert_eq!([&used, &next, &last].map(|hash| remote.has_copy(hash)), [false, true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_share_a_cache_without_room_never_miss_a_file_or_read_a_wrong_one() {
    let remote = Remote::with_room_for(40);
    let mut hashes = Vec::new();
    for number in 0..6 {
        hashes.push((remote.put(&format!("file number {number}")).await, format!("file number {number}")));
    }
    let mut workers = Vec::new();
    for worker in 0..4 {
        let (files, hashes) = (remote.other_process(40), hashes.clone());
        workers.push(tokio::spawn(async move {
            for round in 0..30 {
                let (hash, content) = &hashes[(worker + round * 5) % hashes.len()];
                let check = if round % 2 == 0 { Check::Once } else { Check::Anew };
                let file = files.materialize(hash, check).await.unwrap();
                tokio::task::yield_now().await;
                assert_eq!(&std::fs::read_to_string(file.path()).unwrap(), content);
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let listing = remote.objects.list(None);
    assert_eq!(futures::StreamExt::count(listing).await, 6);
}

#[tokio::test]
async fn what_a_killed_download_left_is_removed() {
    let remote = Remote::with_room_for(1 << 20);
    let left = remote.folder.path().join("cache/tmp/left");
    std::fs::write(&left, "half").unwrap();
    let hash = remote.put("weights").await;
    remote.get(&hash).await;
    assert!(!left.exists());
}

#[tokio::test]
async fn copies_are_for_their_user_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    open(Arc::new(InMemory::new()), folder.path(), 1);
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
}
