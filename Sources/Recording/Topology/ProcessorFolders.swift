// Which CPUs share a core, and which share a cache: Documentation/ABI/stable/sysfs-devices-system-cpu.

import LinuxSystem

/// /sys/devices/system/cpu.
struct ProcessorFolders {
    private let path: String
    private let online: [Int]

    init(sys: String) {
        path = sys + "/devices/system/cpu"
        online = TextFile.optional(path + "/online").flatMap { CPUSet($0) }?.cpus ?? []
    }

    /// Threads of one core each, as the kernel lists them; nil when it does not tell of every CPU.
    var cores: [String]? { groups { TextFile.optional("\(path)/cpu\($0)/topology/thread_siblings_list") } }

    /// CPUs with the last cache in common; nil when the kernel does not tell of every CPU.
    var lastLevelCaches: [String]? { groups(lastLevelCache) }

    private func groups(_ list: (Int) -> String?) -> [String]? {
        var found: [String] = []
        for cpu in online {
            guard let list = list(cpu).flatMap({ CPUSet($0) })?.description else { return nil }
            if !found.contains(list) { found.append(list) }
        }
        return found.isEmpty ? nil : found
    }

    private func lastLevelCache(of cpu: Int) -> String? {
        let folder = "\(path)/cpu\(cpu)/cache"
        let caches = Folder.optionalNames(in: folder).filter { $0.hasPrefix("index") }.map { "\(folder)/\($0)" }
        let levels = caches.compactMap { cache -> (level: Int, cpus: String)? in
            guard TextFile.optional(cache + "/type") != "Instruction",
                let level: Int = TextFile.number(in: cache + "/level"),
                let cpus = TextFile.optional(cache + "/shared_cpu_list")
            else { return nil }
            return (level, cpus)
        }
        return levels.max { $0.level < $1.level }?.cpus
    }
}
