// Where something begins to hold along a sorted array.

extension Array {
    /// The first index whose element fulfils what all later ones fulfil as well.
    func partitioningIndex(_ fulfils: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if fulfils(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
