CREATE TABLE projections.sources_{generation} (
    partition integer NOT NULL,
    program text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    events bigint NOT NULL,
    net bigint NOT NULL
);
