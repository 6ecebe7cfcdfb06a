package cli

// lowNice is how nice a process of low priority is
// (rule 9 row 29).
const lowNice = 10
