"""Programs: the merchant's document, its checks, its versions in the registry, and its terms as `decide` reads them."""
