package main

// scenes are the pictures in a fixed order: a scene's random numbers depend on its place.
func scenes() []scene {
	return []scene{
		{"belfry", belfry}, {"storm", storm}, {"tram", tram}, {"market", market}, {"theatre", theatre}, {"dolphins", dolphins},
		{"pitch", pitch}, {"bicycle", bicycle}, {"lighthouse", lighthouse}, {"windmills", windmills}, {"barge", barge},
		{"cranes", cranes}, {"nightmarket", nightmarket}, {"fog", fog}, {"marsh", marsh}, {"bakery", bakery}, {"depot", depot},
		{"chess", chess}, {"lily", lily}, {"rowers", rowers}, {"buoy", buoy}, {"pool", pool}, {"viaduct", viaduct},
		{"observatory", observatory}, {"bells", bells}, {"trawler", trawler}, {"film", film}, {"mural", mural},
		{"lifeboat", lifeboat}, {"piano", piano}, {"hedgehog", hedgehog}, {"coolstreet", coolstreet},
	}
}
